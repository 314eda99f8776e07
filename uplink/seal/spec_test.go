package seal

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSpecExample: the example at the end of SPEC.md is the published vector.
func TestSpecExample(t *testing.T) {
	text, err := os.ReadFile("SPEC.md")
	must(t, err)
	v := vectorNamed(t, "good-first")
	claims, err := openSeal(SealOf(t, v.body))
	must(t, err)
	var k ViewerKey
	must(t, k.UnmarshalText([]byte(v.header["viewer"])))
	plain := PlainOf(t, &k, v.body)
	sum, err := parseID(claims.Issuer)
	must(t, err)
	for _, want := range []string{
		claims.Issuer, claims.Audience, hex.EncodeToString(sum[:]),
		hex.EncodeToString(claims.Confirm.Key.X), hex.EncodeToString(claims.Confirm.Key.Y), hex.EncodeToString(claims.PlainHash),
		fmt.Sprintf("%d bytes in all", len(SealOf(t, v.body))), fmt.Sprintf("decrypts, with the `age-identity` in the file, to %d bytes", len(plain)),
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("SPEC.md lacks %q", want)
		}
	}
	for name, number := range map[string]int{
		"message 8 MiB": MaxSealed - 8<<20, "seal 1,024": maxSeal - 1024, "hidden claims 8,192": maxHidden - 8192, "age header 109,056": maxAge - 109056,
		"roster 256 KiB": MaxRoster - 256<<10, "command 4,096": MaxCommand - 4096, "hello 8,192": MaxHello - 8192, "proof 12,288": MaxProof - 12288,
		"pass 1,024": MaxPass - 1024, "settings 66,560 (of which 65,536": MaxSettings - 65536, "[1*8 { 1 => name, 2 => key": MaxKeepers - 8, "[1*16 token]": MaxGroups - 16,
	} {
		if !strings.Contains(string(text), name) || number != 0 {
			t.Errorf("bound %q: off by %d, or not in SPEC.md", name, number)
		}
	}
}
