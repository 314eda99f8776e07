package tuf

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var seeds = []string{
	`{"signed":{"_type":"timestamp","spec_version":"1.0.31","version":3,"expires":"2026-05-31T12:00:00Z","meta":{"snapshot.json":{"version":2,"length":9,"hashes":{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}}},"signatures":[{"keyid":"a","sig":"00"}]}`,
	`{"signed":{"_type":"root","spec_version":"1.0","version":1,"expires":"2026-05-31T12:00:00Z","consistent_snapshot":true,"keys":{"a":{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"00"}}},"roles":{"root":{"keyids":["a"],"threshold":1},"targets":{"keyids":["a"],"threshold":1},"snapshot":{"keyids":["a"],"threshold":1},"timestamp":{"keyids":["a"],"threshold":1}}},"signatures":[]}`,
	`{"signed":{"_type":"targets","spec_version":"1.0.31","version":3,"expires":"2026-05-31T12:00:00Z","targets":{"a/b":{"length":1,"hashes":{"sha512":""},"custom":{"sealcam":{"kind":"agent","version":"v1","number":1,"boards":["*"],"arch":"armv7","channel":"stable","share":100}}}},"delegations":{"keys":{},"roles":[{"name":"x","keyids":[],"threshold":1,"terminating":true,"paths":["*"]}]}},"signatures":[]}`,
	`{"a":[1,-0,"\ud800\"\\",null,true,{"":{}}]}`, "[[[[", `{"a":1}{`, `{"a":1.5}`, `{"a":1,"a":2}`,
}

// FuzzJSON: what is taken is JSON to everybody, says the same after it was written
// canonically, and is written canonically in one way.
func FuzzJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parseJSON(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("taken, and no JSON: %q", data)
		}
		once := canonical(nil, o)
		if bytes.ContainsFunc(once, func(r rune) bool { return r < ' ' }) {
			return // canonical JSON has them bare, which plain JSON does not allow
		}
		again, err := parseJSON(once)
		if err != nil {
			t.Fatalf("%q does not read what it wrote: %v", once, err)
		}
		if twice := canonical(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%q, then %q", once, twice)
		}
	})
}

// FuzzMetadata: no bytes break a reader of any role, and none are trusted without
// a signature.
func FuzzMetadata(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		trusted := &trusted{clock: func() time.Time { return time.Unix(0, 0) }}
		if r, err := parseRoot("root.json", data); err == nil {
			trusted.root = r
			_ = trusted.updateRoot(data)
			for _, k := range r.keys {
				if o, ok := k.(object); ok {
					if key, err := parseKey(o); err == nil && key.verify(data, make([]byte, 64)) {
						t.Fatal("zeros are a signature")
					}
				}
			}
		} else {
			trusted.root = &root{metadata: &metadata{}}
		}
		if ts, err := parseTimestamp(data); err == nil && ts.snapshot.version < 1 {
			t.Fatalf("version %d", ts.snapshot.version)
		}
		if _, err := trusted.updateTimestamp(data); err == nil {
			t.Fatal("a timestamp without a key")
		}
		tg, err := parseTargets("targets.json", data)
		if err != nil {
			return
		}
		for path, target := range tg.files {
			if !filepath.IsLocal(filepath.FromSlash(path)) || strings.Contains((&root{consistent: true}).filePath(target), "..//") {
				t.Fatalf("path %q", path)
			}
			m, err := parseMeant(target.custom)
			if err == nil && m != nil && (m.number == 0 || m.share > 100 || m.share < 0) {
				t.Fatalf("%+v", m)
			}
		}
		for _, r := range tg.delegations.roles {
			r.holds("a/b")
			if r.threshold < 1 {
				t.Fatalf("threshold %d", r.threshold)
			}
		}
	})
}

// FuzzContentRange: what is taken is a range of a file.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-1/2", "bytes 5-9/*", "bytes */9", "bytes 9-1/20", "bytes 99999999999999999999-1/2", "items 0-1/2", "bytes -1-2/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, size, err := parseContentRange(s)
		if err == nil && (first < 0 || size != -1 && first >= size) {
			t.Fatalf("%q: %d of %d", s, first, size)
		}
	})
}

// FuzzHave: what stands beside a part is never more than the part may have.
func FuzzHave(f *testing.F) {
	for _, s := range []string{`{"tag":"\"x\"","bytes":5}`, `{"bytes":-1}`, `{"tag":"a\nb"}`, "{"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var h have
		if h.parse(data, 100) == nil && (h.Bytes < 0 || h.Bytes > 100 || strings.ContainsAny(h.Tag, "\r\n")) {
			t.Fatalf("%+v", h)
		}
	})
}
