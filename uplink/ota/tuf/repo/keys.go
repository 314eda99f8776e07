package repo

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// key is one private key with its file.
type key struct {
	path   string
	id     string
	public *metadata.Key
	signer signature.Signer
}

func newKey(path string, private ed25519.PrivateKey) (key, error) {
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	if err != nil {
		return key{}, err
	}
	public, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return key{}, err
	}
	id, err := public.ID()
	return key{path, id, public, signer}, err
}

// makeKey makes a key in dir, in a file that is called after its role and the
// beginning of its id.
func makeKey(dir, role string, random io.Reader) (key, error) {
	_, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return key{}, err
	}
	k, err := newKey("", private)
	if err != nil {
		return key{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return key{}, err
	}
	k.path = filepath.Join(dir, fmt.Sprintf("%s-%.8s.key", role, k.id))
	return k, writeFile(k.path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// maxKeyFile bounds a key's file, in bytes.
const maxKeyFile = 4 << 10

// loadKeys returns the keys in dirs, by id. A folder that is not there has none.
func loadKeys(dirs ...string) (map[string]key, error) {
	keys := map[string]key{}
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), ".key") {
				continue
			}
			k, err := loadKey(filepath.Join(dir, f.Name()))
			if err != nil {
				return nil, err
			}
			keys[k.id] = k
		}
	}
	return keys, nil
}

func loadKey(path string) (key, error) {
	data, err := readFile(path, maxKeyFile)
	if err != nil {
		return key{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return key{}, fmt.Errorf("%s: not a key in PEM", path)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return key{}, fmt.Errorf("%s: %w", path, err)
	}
	ed, ok := private.(ed25519.PrivateKey)
	if !ok {
		return key{}, fmt.Errorf("%s: not an Ed25519 key", path)
	}
	return newKey(path, ed)
}

// KeysError says that not enough of a role's keys are at hand.
type KeysError struct {
	Role       string
	Have, Need int
}

func (e *KeysError) Error() string {
	return fmt.Sprintf("%d of the %d keys that must sign %s are here", e.Have, e.Need, e.Role)
}

// Hint says where to look for them.
func (e *KeysError) Hint() string {
	return "name the folder with the other keys: --offline DIR"
}

// sign signs m for each of roles by all of their keys that are at hand, and refuses
// if for one of them these are too few.
func sign[T metadata.Roles](m *metadata.Metadata[T], keys map[string]key, roles map[string]*metadata.Role) error {
	m.ClearSignatures()
	done := map[string]bool{}
	for name, role := range roles {
		have := 0
		for _, id := range role.KeyIDs {
			k, ok := keys[id]
			if !ok {
				continue
			}
			have++
			if done[id] {
				continue
			}
			done[id] = true
			if _, err := m.Sign(k.signer); err != nil {
				return fmt.Errorf("%s: %w", k.path, err)
			}
		}
		if have < role.Threshold {
			return &KeysError{Role: name, Have: have, Need: role.Threshold}
		}
	}
	return nil
}
