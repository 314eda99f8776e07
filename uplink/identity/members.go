package identity

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// ViewerPrefix stands before a viewer's name in its certificate. No camera id
// can start with it: ids have no dash.
const ViewerPrefix = "viewer-"

// AddCamera puts a camera into the roster. The name is the household's own
// label for it. A camera that was removed can come back; one that an operator has
// added becomes the owner's.
func (h *Household) AddCamera(id seal.CameraID, name string) error {
	if _, err := seal.ParseCameraID(string(id)); err != nil {
		return err
	}
	if r, _, err := h.Roster(); err != nil {
		return err
	} else if slices.Contains(r.Revoked, id) {
		if err := h.ca.end(string(id)); err != nil { // what it had before stays withdrawn
			return err
		}
	}
	return h.change(func(r *seal.Roster) error {
		// What an operator has added the owner takes in, under a name of its own choice.
		added := slices.ContainsFunc(r.Additions, func(a seal.Addition) bool { return a.Camera.ID == id })
		for _, c := range r.Cameras {
			if c.ID == id && !added {
				return fmt.Errorf("%w: it is called %q", ErrKnownCamera, c.Name)
			}
			if c.ID != id && c.Name == name {
				return fmt.Errorf("camera %q: %w, by camera %s", name, ErrKnownName, c.ID)
			}
		}
		if added {
			r.Cameras = slices.DeleteFunc(r.Cameras, func(c seal.RosterCamera) bool { return c.ID == id })
		}
		r.Revoked = slices.DeleteFunc(r.Revoked, func(c seal.CameraID) bool { return c == id })
		r.Cameras = append(r.Cameras, seal.RosterCamera{ID: id, Name: name, Since: h.now().UTC().Truncate(time.Second)})
		return nil
	})
}

// RemoveCamera takes a camera out of the roster: nothing it seals is shown any
// more by those who have the new roster.
func (h *Household) RemoveCamera(id seal.CameraID) error {
	return h.change(func(r *seal.Roster) error {
		if _, ok := r.Camera(id); !ok {
			return fmt.Errorf("camera %.60s: %w", id, ErrNoSuchCamera)
		}
		r.Cameras = slices.DeleteFunc(r.Cameras, func(c seal.RosterCamera) bool { return c.ID == id })
		r.Revoked = append(r.Revoked, id)
		return nil
	})
}

// Pair returns what a camera of the roster needs to join. request is the
// camera's CertificateRequest, which must have come from the camera itself:
// signed by it in a hello, or read in the same process. With a nil request the
// one of the last time is used.
func (h *Household) Pair(id seal.CameraID, request []byte) (Pairing, error) {
	roster, signed, err := h.Roster()
	if err != nil {
		return Pairing{}, err
	}
	if _, ok := roster.Camera(id); !ok {
		return Pairing{}, fmt.Errorf("camera %.60s: %w", id, ErrNoSuchCamera)
	}
	path := filepath.Join(h.dir, camerasDir, string(id)+".csr")
	if request == nil {
		if request, err = readFile(path); err != nil {
			return Pairing{}, err
		}
	} else if len(request) > seal.MaxCSR {
		return Pairing{}, fmt.Errorf("certificate request of %d bytes, at most %d", len(request), seal.MaxCSR)
	}
	pub, err := requestKey(request)
	if err != nil {
		return Pairing{}, fmt.Errorf("certificate request of camera %s: %w", id, err)
	}
	cert, err := h.ca.client(string(id), pub, h.now())
	if err != nil {
		return Pairing{}, err
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return Pairing{}, err
	}
	if err := writeFile(path, request); err != nil {
		return Pairing{}, err
	}
	return Pairing{Camera: id, Household: h.id, Broker: h.about.Broker,
		Authority: h.Authority(), Certificate: cert, Roster: signed}, nil
}

// Adopt makes c, which the roster names, the household's: what a request, Pair
// and Claim do by hand, for a camera in the same process, where nobody can stand
// between the two.
func (h *Household) Adopt(c *Camera) error {
	request, err := c.CertificateRequest()
	if err != nil {
		return err
	}
	p, err := h.Pair(c.ID(), request)
	if err != nil {
		return err
	}
	return c.Claim(p)
}

// requestKey returns the key that a certificate request is for. Nothing else
// in it is believed.
func requestKey(der []byte) (*ecdsa.PublicKey, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	if err := r.CheckSignature(); err != nil {
		return nil, err
	}
	pub, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, seal.ErrKey
	}
	_, err = seal.MarshalPublicKey(pub) // P-256
	return pub, err
}

// AddViewer makes the keys of a viewer in this directory and puts it into the
// roster: cameras seal to it from the next message on.
func (h *Household) AddViewer(name string) (*Viewer, error) {
	if err := CheckViewerName(name); err != nil {
		return nil, err
	}
	if r, _, err := h.Roster(); err != nil {
		return nil, err
	} else if i := viewerIndex(r, name); i >= 0 {
		return nil, fmt.Errorf("viewer %q: %w", name, ErrKnownName)
	}
	key, err := h.makeViewer(filepath.Join(h.dir, viewersDir, name), name)
	if err != nil {
		return nil, err
	}
	public := key.Public()
	public.Name = name
	if err := h.EnrollViewer(public); err != nil {
		return nil, err
	}
	return OpenViewer(h.dir, name)
}

// EnrollViewer puts a viewer that made its own keys into the roster.
func (h *Household) EnrollViewer(v seal.Viewer) error {
	if err := CheckViewerName(v.Name); err != nil {
		return err
	}
	return h.change(func(r *seal.Roster) error {
		if viewerIndex(r, v.Name) >= 0 {
			return fmt.Errorf("viewer %q: %w", v.Name, ErrKnownName)
		}
		r.Viewers = append(r.Viewers, v)
		return nil
	})
}

// RemoveViewer takes a viewer out of the roster. What was sealed before stays
// readable to it. Its keys, if they are in this directory, are set aside and
// not deleted: old pictures may have no other reader.
func (h *Household) RemoveViewer(name string) error {
	if err := h.change(func(r *seal.Roster) error {
		i := viewerIndex(r, name)
		if i < 0 {
			return fmt.Errorf("viewer %.60q: %w", name, ErrNoSuchViewer)
		}
		r.Viewers = slices.Delete(r.Viewers, i, i+1)
		return nil
	}); err != nil {
		return err
	}
	return h.setAside(filepath.Join(h.dir, viewersDir, name), name)
}

// SetRoles says what the viewer called name may from now on.
func (h *Household) SetRoles(name string, roles seal.Roles) error {
	return h.change(func(r *seal.Roster) error {
		i := viewerIndex(r, name)
		if i < 0 {
			return fmt.Errorf("viewer %.60q: %w", name, ErrNoSuchViewer)
		}
		r.Viewers[i].Roles = roles
		if !slices.ContainsFunc(r.Viewers, func(v seal.Viewer) bool { return v.May(seal.MayWatch) }) {
			return ErrNobodyWatches
		}
		return nil
	})
}

// SetGroups puts a camera into exactly these groups, which settings can be meant
// for.
func (h *Household) SetGroups(id seal.CameraID, groups []string) error {
	return h.change(func(r *seal.Roster) error {
		i := slices.IndexFunc(r.Cameras, func(c seal.RosterCamera) bool { return c.ID == id })
		if i < 0 {
			return fmt.Errorf("camera %.60s: %w", id, ErrNoSuchCamera)
		}
		r.Cameras[i].Groups = slices.Compact(slices.Sorted(slices.Values(groups)))
		return nil
	})
}

// ErrNobodyWatches says that a change would leave cameras without anybody to seal to.
var ErrNobodyWatches = errors.New("no viewer of the household could watch any more: its cameras would seal nothing")

// IssueServer makes a key and a certificate for a broker or page that clients
// reach by one of hosts (names or addresses), both PEM.
func (h *Household) IssueServer(hosts ...string) (cert, key []byte, err error) {
	k, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	if cert, err = h.ca.server(hosts, &k.PublicKey, h.now()); err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(k)
	return cert, key, err
}

// ServerTLS returns a server's side of TLS 1.3 for hosts: a fresh certificate,
// and clients of this household only.
func (h *Household) ServerTLS(hosts ...string) (*tls.Config, error) {
	certText, keyText, err := h.IssueServer(hosts...)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(h.ca.cert)
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
	}, nil
}

func viewerIndex(r *seal.Roster, name string) int {
	return slices.IndexFunc(r.Viewers, func(v seal.Viewer) bool { return v.Name == name })
}

// CheckViewerName refuses what cannot be a viewer's name. It keeps to what can
// stand in a file's name, a certificate and a broker's access rules without
// ever meaning anything else there.
func CheckViewerName(name string) error {
	if name == "" || len(name) > 32 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || name[0] == '-' {
		return fmt.Errorf("viewer name %.60q: expected up to 32 of a-z, 0-9 and dashes, such as phone or hall-display", name)
	}
	return nil
}
