package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// KeeperPrefix stands before a keeper's name in its certificate.
const KeeperPrefix = "keeper-"

// The files of one keeper, in keepers/NAME of the owner's directory. They stand
// alone: the directory can be copied to where the keeper runs.
const (
	keepersDir     = "keepers"
	keeperName     = "keeper.json"
	keeperKeyFile  = "keeper.key"
	keeperCertFile = "tls.crt"
)

// Errors about keepers.
var (
	ErrNoKeeper     = errors.New("no keeper here")
	ErrNoSuchKeeper = errors.New("no such keeper in the household")
)

// Keeper is what one keeper of a household is to others: the key that signs its
// receipts and answers, and a certificate of the household's authority, for the
// broker and for those who read from it. It holds nothing that opens a picture.
type Keeper struct {
	about keeperFile
	id    seal.KeyID
	key   *ecdsa.PrivateKey
	ca    *x509.Certificate
	leaf  *x509.Certificate
	tls   *tls.Config
}

type keeperFile struct {
	Format    int              `json:"sealcam_keeper"`
	Name      string           `json:"name"`
	Household seal.HouseholdID `json:"household"`
	Broker    string           `json:"broker,omitempty"`
	URL       string           `json:"url,omitempty"`
	Hosts     []string         `json:"hosts,omitempty"`
}

const keeperFormat = 1

// AddKeeper makes the keys of a keeper in this directory, and puts it into the
// roster. rawURL (https://host or https://host:port) is where viewers read; the
// certificate is for its host and for hosts. Both may be empty: such a keeper
// stores, and viewers have to be told where it is.
func (h *Household) AddKeeper(name, rawURL string, hosts ...string) (*Keeper, error) {
	if err := CheckViewerName(name); err != nil {
		return nil, err
	}
	r, _, err := h.Roster()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(r.Keepers, func(k seal.Keeper) bool { return k.Name == name }) {
		return nil, fmt.Errorf("keeper %q: %w", name, ErrKnownName)
	}
	about := keeperFile{Format: keeperFormat, Name: name, Household: h.id, Broker: h.about.Broker, URL: rawURL, Hosts: hosts}
	if err := about.check(); err != nil {
		return nil, err
	}
	key, err := h.makeKeeper(h.KeeperDir(name), about)
	if err != nil {
		return nil, err
	}
	if err := h.EnrollKeeper(seal.Keeper{Name: name, Key: key, URL: rawURL}); err != nil {
		return nil, err
	}
	return OpenKeeper(h.KeeperDir(name))
}

// KeeperDir returns the directory of the keeper called name, whose keys this
// household made.
func (h *Household) KeeperDir(name string) string { return filepath.Join(h.dir, keepersDir, name) }

// makeKeeper makes a keeper's files, anew if there are any, and returns its public
// key.
func (h *Household) makeKeeper(dir string, about keeperFile) ([]byte, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	tlsKey, err := newKey()
	if err != nil {
		return nil, err
	}
	if err := h.ca.end(KeeperPrefix + about.Name); err != nil {
		return nil, err
	}
	cert, err := h.ca.keeper(KeeperPrefix+about.Name, about.hosts(), &tlsKey.PublicKey, h.now())
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	for name, k := range map[string]*ecdsa.PrivateKey{keeperKeyFile: key, tlsKeyFile: tlsKey} {
		if err := writeKey(filepath.Join(dir, name), k); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string][]byte{keeperCertFile: cert, authorityCert: h.Authority()} {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return nil, err
		}
	}
	if err := writeJSON(filepath.Join(dir, keeperName), about); err != nil {
		return nil, err
	}
	return seal.MarshalPublicKey(key.Public())
}

// EnrollKeeper puts a keeper into the roster that made its own keys, such as one
// that keeps for many households.
func (h *Household) EnrollKeeper(k seal.Keeper) error {
	if err := CheckViewerName(k.Name); err != nil {
		return err
	}
	return h.change(func(r *seal.Roster) error {
		for _, known := range r.Keepers {
			if known.Name == k.Name {
				return fmt.Errorf("keeper %q: %w", k.Name, ErrKnownName)
			}
		}
		if len(r.Keepers) >= seal.MaxKeepers {
			return fmt.Errorf("this household has %d keepers, which is all that it can: remove one first", seal.MaxKeepers)
		}
		r.Keepers = append(r.Keepers, k)
		return nil
	})
}

// RemoveKeeper takes a keeper out of the roster: cameras and viewers that have the
// new one listen to it no more. What it keeps, it may go on keeping. Its keys, if
// they are here, are set aside.
func (h *Household) RemoveKeeper(name string) error {
	if err := h.change(func(r *seal.Roster) error {
		i := slices.IndexFunc(r.Keepers, func(k seal.Keeper) bool { return k.Name == name })
		if i < 0 {
			return fmt.Errorf("keeper %.60q: %w", name, ErrNoSuchKeeper)
		}
		r.Keepers = slices.Delete(r.Keepers, i, i+1)
		return nil
	}); err != nil {
		return err
	}
	return h.setAside(h.KeeperDir(name), "keeper-"+name)
}

// RenewKeeper signs a new certificate for a keeper whose keys are here. Its
// directory must then be copied to where it runs, or its tls.crt alone.
func (h *Household) RenewKeeper(name string) (*Keeper, error) {
	if err := CheckViewerName(name); err != nil {
		return nil, err
	}
	dir := h.KeeperDir(name)
	k, err := OpenKeeper(dir)
	if errors.Is(err, ErrNoKeeper) {
		return nil, fmt.Errorf("keeper %q: %w with keys in %s", name, ErrNoSuchKeeper, h.dir)
	}
	if err != nil {
		return nil, err
	}
	cert, err := h.ca.keeper(KeeperPrefix+name, k.about.hosts(), k.leaf.PublicKey.(*ecdsa.PublicKey), h.now())
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, keeperCertFile), cert); err != nil {
		return nil, err
	}
	return OpenKeeper(dir)
}

// OpenKeeper opens the identity of a keeper, in the directory that AddKeeper made or
// a copy of it. It refuses keys that others can read (*PermissionError), and is
// ErrNoKeeper when there is none.
func OpenKeeper(dir string) (*Keeper, error) {
	path := filepath.Join(dir, keeperName)
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoKeeper)
	}
	if err != nil {
		return nil, err
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	k := new(Keeper)
	if err := strictJSON(text, &k.about); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := k.about.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if k.key, err = readKey(filepath.Join(dir, keeperKeyFile)); err != nil {
		return nil, err
	}
	if k.id, err = seal.KeyIDOf(k.key.Public()); err != nil {
		return nil, err
	}
	return k, k.openTLS(dir)
}

func (k *Keeper) openTLS(dir string) error {
	authority, err := readFile(filepath.Join(dir, authorityCert))
	if err != nil {
		return err
	}
	certificate, err := readFile(filepath.Join(dir, keeperCertFile))
	if err != nil {
		return err
	}
	key, err := readKey(filepath.Join(dir, tlsKeyFile))
	if err != nil {
		return err
	}
	if k.tls, err = clientTLS(authority, certificate, key); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, keeperCertFile), err)
	}
	k.leaf = k.tls.Certificates[0].Leaf
	k.ca, err = parseCert(authority)
	return err
}

// ID returns the id of the keeper's key, by which rosters name it.
func (k *Keeper) ID() seal.KeyID { return k.id }

// Name returns what its household calls it.
func (k *Keeper) Name() string { return k.about.Name }

// Household returns whose authority signed the keeper's certificate. Whose cameras
// it may keep, rosters say.
func (k *Keeper) Household() seal.HouseholdID { return k.about.Household }

// Broker returns the URL of the household's broker, or "".
func (k *Keeper) Broker() string { return k.about.Broker }

// URL returns where viewers read from it, or "".
func (k *Keeper) URL() string { return k.about.URL }

// Signer returns the key that signs its receipts, requests and answers.
func (k *Keeper) Signer() crypto.Signer { return k.key }

// Expires returns when its certificate ends.
func (k *Keeper) Expires() time.Time { return k.leaf.NotAfter }

// Authority returns the certificate of its household's authority.
func (k *Keeper) Authority() *x509.Certificate { return k.ca }

// TLS returns how to reach the household's broker. The caller owns it.
func (k *Keeper) TLS() *tls.Config { return k.tls.Clone() }

// ServerTLS returns the side of TLS 1.3 of an HTTPS server that asks for no
// certificate: passes say there who may read. The caller owns it.
func (k *Keeper) ServerTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: slices.Clone(k.tls.Certificates)}
}

// BrokerTLS returns the side of TLS 1.3 of a broker, for the cameras and viewers of
// the household. The caller owns it.
func (k *Keeper) BrokerTLS() *tls.Config {
	c := k.ServerTLS()
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	c.ClientCAs.AddCert(k.ca)
	return c
}

func (f *keeperFile) check() error {
	if f.Format != keeperFormat {
		return fmt.Errorf("format %d, this program knows %d", f.Format, keeperFormat)
	}
	if err := CheckViewerName(f.Name); err != nil {
		return err
	}
	if _, err := seal.ParseHouseholdID(string(f.Household)); err != nil {
		return err
	}
	if err := checkBroker(f.Broker); err != nil {
		return err
	}
	return checkKeeperURL(f.URL)
}

// checkKeeperURL refuses what is not the root of an HTTPS server.
func checkKeeperURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || s != "https://"+u.Host {
		return fmt.Errorf("keeper's URL %.80q: expected https://HOST or https://HOST:PORT", s)
	}
	return nil
}

// hosts returns the names and addresses that the keeper's certificate is for.
func (f *keeperFile) hosts() []string {
	var hosts []string
	if u, err := url.Parse(f.URL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	for _, host := range f.Hosts {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// setAside moves keys that were taken out of the roster: they are not deleted.
func (h *Household) setAside(dir, name string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r, _, err := h.Roster()
	if err != nil {
		return err
	}
	aside := filepath.Join(h.dir, "removed")
	if err := makeDir(aside); err != nil {
		return err
	}
	return os.Rename(dir, filepath.Join(aside, fmt.Sprintf("%s-%d", name, r.Version)))
}
