package spool

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"
)

// FuzzOpen: whatever somebody has written onto the card (records with their
// checksums right, messages under any name) the spool opens, goes on counting
// above what its own record says, and stores.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"boot":3,"reserved":40,"head":7,"hash":"AAAA","open":2,"spool":1,"clock":5}`), []byte(`{"lost":[{"First":2,"Last":9},{"First":1,"Last":3}]}`),
		string(label{seq: 7, group: 3, size: 5, sum: crc32.Checksum([]byte("hello"), castagnoli), class: Clip}.appendName(nil)), []byte("hello"))
	f.Add([]byte(`{"boot":18446744073709551615,"reserved":18446744073709551615}`), []byte(`{"lost":[{"First":0,"Last":18446744073709551615}]}`), "x", []byte(nil))
	f.Add([]byte("{}"), []byte("{}"),
		string(label{seq: 1 << 62, group: 3, size: 5, sum: crc32.Checksum([]byte("hello"), castagnoli), class: Clip}.appendName(nil)), []byte("hello"))
	f.Fuzz(func(t *testing.T, head, lost []byte, name string, message []byte) {
		d := newDisks(t)
		put := func(disk *powerDisk, name string, b []byte) {
			file, err := disk.Create(name)
			if err != nil {
				return // no name of a file
			}
			_, _ = file.Write(b)
			_ = file.Close()
		}
		record := func(b []byte) []byte {
			b = append(bytes.Clone(b), '\n')
			return fmt.Appendf(b, "%08x\n", crc32.Checksum(b, castagnoli))
		}
		put(d.state, headFile, record(head))
		put(d.messages, headFile, head)
		put(d.state, lostFile, record(lost))
		shard := "2f"
		if l, ok := parseName(name); ok {
			shard = shardOf(l.seq)
		}
		_ = d.messages.Mkdir(shard)
		put(d.messages, shard+"/"+name, message)
		s, err := Open(Config{State: d.state, Messages: d.messages, Budget: MinBudget, Holes: 32, Hash: hashOf})
		if err != nil {
			return
		}
		said, _ := loadHead(d.state, nil)
		next, err := s.Next()
		if err != nil {
			return // it says why
		}
		if next.Seq == 0 || next.Seq > 2*maxSeq || next.Seq <= s.Stats().Head {
			t.Fatalf("the next number is %d after %d (%+v)", next.Seq, s.Stats().Head, said)
		}
		if err := s.Put(Message{Seq: next.Seq, Class: Status, Bytes: []byte("new")}); err != nil {
			return
		}
		for range 3 {
			o, ok, err := s.Offer()
			if !ok {
				break
			}
			if err == nil && o.Seq > next.Seq {
				t.Fatalf("offers %d, which nobody has counted to", o.Seq)
			}
		}
	})
}
