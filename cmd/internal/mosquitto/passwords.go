package mosquitto

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Of passwords' hashes, as mosquitto_passwd makes them.
const (
	hashRounds = 101
	saltBytes  = 12
)

// passwordFile returns users as Mosquitto's password_file has them: one line
// NAME:$7$ROUNDS$SALT$HASH each, where 7 is PBKDF2 with SHA-512 (mosquitto_passwd(1)).
func passwordFile(users map[string]string) ([]byte, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(users)) {
		salt := make([]byte, saltBytes)
		if _, err := rand.Read(salt); err != nil {
			return nil, err
		}
		hash, err := pbkdf2.Key(sha512.New, users[name], salt, hashRounds, sha512.Size)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s:$7$%d$%s$%s\n", name, hashRounds, base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(hash))
	}
	return []byte(b.String()), nil
}
