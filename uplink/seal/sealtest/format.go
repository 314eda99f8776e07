package sealtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Format writes v as a file that Parse reads.
func (v *Vector) Format() ([]byte, error) {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	b64 := base64.StdEncoding.EncodeToString
	line("expect", v.Expect)
	line("comment", v.Comment)
	line("op", v.Op)
	line("camera", string(v.Camera))
	line("household", string(v.Household))
	if v.Viewer != nil {
		text, err := v.Viewer.MarshalText()
		if err != nil {
			return nil, err
		}
		line("viewer", string(text))
		line("age-identity", v.Viewer.AgeIdentity())
	}
	line("roster", b64(v.Roster))
	line("now", stamp(v.Now))
	line("asked", hex.EncodeToString(v.Asked))
	if v.Watched {
		line("watched", "yes")
	}
	line("asked-at", stamp(v.AskedAt))
	for _, m := range v.Before {
		line("before", b64(m))
	}
	if v.Retained {
		line("retained", "yes")
	}
	line("secret", hex.EncodeToString(v.Secret))
	line("published", b64(v.Published))
	line("flags", strings.Join(v.Flags, " "))
	line("gaps", strings.Join(v.Gaps, " "))
	line("media", v.Media)
	b.WriteByte('\n')
	for body := b64(v.Body); body != ""; {
		n := min(76, len(body))
		b.WriteString(body[:n] + "\n")
		body = body[n:]
	}
	return []byte(b.String()), nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
