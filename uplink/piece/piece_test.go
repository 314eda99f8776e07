package piece

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// random returns n bytes that differ from seed to seed.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// plain returns n bytes that begin in another way from number to number.
func plain(number, n int) []byte {
	b := make([]byte, n)
	copy(b, fmt.Sprint(number))
	return b
}

// cut returns the piece of message from at to end as it travels.
func cut(message []byte, at, end int) []byte {
	return Piece{Kind: Media, Size: len(message), At: at, Name: Name(message), Data: message[at:end]}.Append(nil)
}

// Whatever the sizes, the order and the overlaps, the message comes out once, when
// it is whole.
func TestJoin(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		message := random(byte(seed), 1+r.IntN(40*Block))
		blocks := (len(message) + Block - 1) / Block
		missing := map[int]bool{}
		for i := range blocks {
			missing[i] = true
		}
		var j Joiner
		for len(missing) > 0 {
			at := r.IntN(blocks)
			end := at + 1 + r.IntN(blocks-at)
			for i := at; i < end; i++ {
				delete(missing, i)
			}
			kind, whole, err := j.Add("door", cut(message, at*Block, min(end*Block, len(message))))
			if err != nil {
				t.Fatal(err)
			}
			if (whole != nil) != (len(missing) == 0) || whole != nil && (kind != Media || !bytes.Equal(whole, message)) {
				t.Fatalf("seed %d: %d bytes of %d with %d blocks missing", seed, len(whole), len(message), len(missing))
			}
		}
		if n, held := j.Unfinished(); n != 0 || held != 0 {
			t.Errorf("seed %d: %d messages and %d bytes are left", seed, n, held)
		}
	}
}

// Messages of the same name from two cameras, or of two kinds, do not mix.
func TestJoinKeepsApart(t *testing.T) {
	message := random(1, 2*Block)
	var j Joiner
	for from, kind := range map[string]Kind{"door": Media, "garden": Media, "street": Live} {
		p := Piece{Kind: kind, Size: len(message), At: 0, Name: Name(message), Data: message[:Block]}
		if _, whole, err := j.Add(from, p.Append(nil)); whole != nil || err != nil {
			t.Fatal(whole, err)
		}
	}
	if n, _ := j.Unfinished(); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	if _, whole, _ := j.Add("street", cut(message, Block, 2*Block)); whole != nil {
		t.Error("a part of another kind completed a message")
	}
}

func TestSpoiled(t *testing.T) {
	message := random(1, 3*Block)
	var j Joiner
	bad := cut(message, 0, Block)
	bad[Head] ^= 1
	_, _, _ = j.Add("door", bad)
	_, whole, err := j.Add("door", cut(message, Block, 3*Block))
	if whole != nil || !errors.Is(err, ErrSpoiled) {
		t.Errorf("%d bytes, %v", len(whole), err)
	}
	// It is forgotten, so that it can come again.
	if _, whole, err = j.Add("door", cut(message, 0, 3*Block)); !bytes.Equal(whole, message) || err != nil {
		t.Errorf("%d bytes, %v", len(whole), err)
	}
}

func TestParseRefuses(t *testing.T) {
	good := cut(random(1, 3*Block), Block, 2*Block)
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"nothing":                func(b []byte) []byte { return nil },
		"no data":                func(b []byte) []byte { return b[:Head] },
		"another format":         func(b []byte) []byte { b[2] = '2'; return b },
		"another kind":           func(b []byte) []byte { b[3] = 's'; return b },
		"too large":              func(b []byte) []byte { b[4] = 2; return b },
		"behind the end":         func(b []byte) []byte { b[7] = 1; b[6] = 4; return b },
		"beside the blocks":      func(b []byte) []byte { b[11] = 1; return b },
		"a part that is no part": func(b []byte) []byte { return b[:len(b)-1] },
		"far away":               func(b []byte) []byte { copy(b[4:], "\xff\xff\xff\xff\xff\xff\xff\xfc"); return b },
	} {
		if p, err := Parse(change(bytes.Clone(good))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// A flood of beginnings takes bounded memory, and what it pushes out first is of
// the camera that it came from.
func TestFlood(t *testing.T) {
	var j Joiner
	honest := random(200, 1<<20)
	if _, _, err := j.Add("honest", cut(honest, 0, len(honest)-1<<10)); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		message := plain(i, 4<<20)
		if _, _, err := j.Add("hostile", cut(message, 0, len(message)-Block)); err != nil {
			t.Fatal(err)
		}
		if n, held := j.Unfinished(); n > maxOfOne+1 || held > maxPartsOfOne+len(honest) {
			t.Fatalf("%d messages, %d bytes", n, held)
		}
	}
	if _, whole, err := j.Add("honest", cut(honest, len(honest)-1<<10, len(honest))); !bytes.Equal(whole, honest) || err != nil {
		t.Errorf("%d bytes, %v", len(whole), err)
	}
	for i := range 100 {
		message := plain(i, 2<<20)
		if _, _, err := j.Add(fmt.Sprint("camera", i), cut(message, 0, len(message)-Block)); err != nil {
			t.Fatal(err)
		}
		if n, held := j.Unfinished(); n > maxOfAll || held > maxPartsOfAll {
			t.Fatalf("%d messages, %d bytes", n, held)
		}
	}
}

// A part of which most is known already keeps no more memory than what is new.
func TestOverlapKeepsWhatIsNew(t *testing.T) {
	message := random(1, 1<<20)
	var j Joiner
	for at := 0; at < len(message)-64<<10; at += Block {
		_, _, _ = j.Add("door", cut(message, at, at+64<<10))
	}
	kept := 0
	for _, p := range j.partial[0].part {
		kept += cap(p.data)
	}
	if kept > len(message)+len(message)/4 {
		t.Errorf("%d bytes are kept of %d", kept, len(message))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(cut(random(1, 3*Block), Block, 2*Block))
	f.Add(cut(random(1, 3), 0, 3))
	f.Add([]byte("SP1m"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if p.At < 0 || p.At+len(p.Data) > p.Size || p.Size > MaxMessage || len(p.Data) == 0 {
			t.Fatalf("accepted %d at %d of %d", len(p.Data), p.At, p.Size)
		}
		if again := p.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("two forms of one piece: %x and %x", b, again)
		}
	})
}

// FuzzJoin: whatever pieces come beside those of one message, bounds are kept,
// and a message that comes out has the name that its pieces gave.
func FuzzJoin(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0, 1, 2, 0, 1, 0, 1, 9})
	f.Add([]byte{1, 3, 1, 0, 1, 0, 255, 1, 1, 2, 3, 40})
	messages := [][]byte{random(1, 5*Block+7), random(2, 60*Block), random(3, 100)}
	f.Fuzz(func(t *testing.T, script []byte) {
		var j Joiner
		for ; len(script) >= 4; script = script[4:] {
			m := messages[int(script[0])%len(messages)]
			blocks := (len(m) + Block - 1) / Block
			at := int(script[1]) % blocks
			end := min((at+1+int(script[2])%blocks)*Block, len(m))
			b := cut(m, at*Block, end)
			if script[3] > 9 { // hostile
				b[int(script[3])%len(b)] ^= script[3]
			}
			_, whole, err := j.Add(string('a'+rune(script[3]%3)), b)
			if p, _ := Parse(b); whole != nil && (err != nil || Name(whole) != p.Name || len(whole) != p.Size) {
				t.Fatalf("%d bytes came out of pieces of %d, %v", len(whole), p.Size, err)
			}
			held := 0
			for _, p := range j.partial {
				at, of := 0, 0
				for _, part := range p.part {
					if part.at < at || len(part.data) == 0 || part.end() > p.size {
						t.Fatalf("a part at %d behind %d", part.at, at)
					}
					at, of = part.end(), of+len(part.data)
				}
				if of != p.held || of == p.size {
					t.Fatalf("%d bytes held, %d counted, of %d", of, p.held, p.size)
				}
				held += of
			}
			if held != j.held {
				t.Fatalf("%d bytes held, %d counted", held, j.held)
			}
		}
	})
}
