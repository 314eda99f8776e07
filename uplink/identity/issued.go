package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/uplink/seal"
)

// issuedFile is in an owner's directory: a line "NAME SERIAL" for each client
// certificate that its authority has signed, and "NAME -" where those before of that
// name were ended. It is only added to. A line that the power cut off ends without a
// newline, and was of a certificate that nobody was given.
const issuedFile = "issued"

// ended stands for all serial numbers of a name so far.
const ended = "-"

// note adds a line to issuedFile, durably. An authority without a directory, which
// a recovery file has, notes nothing.
func (a *authority) note(name, serial string) (err error) {
	if a.dir == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(a.dir, issuedFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() > maxFile-1024 {
		return fmt.Errorf("%s is full: it has %d bytes, and a household signs no more certificates than that", f.Name(), st.Size())
	}
	line := name + " " + serial + "\n"
	if st.Size() > 0 {
		line = "\n" + line // whatever the power has left of the line before
	}
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	return errors.Join(f.Sync(), syncDir(a.dir))
}

// end ends the certificates that a name has been given so far: whoever gets it next
// is somebody else.
func (a *authority) end(name string) error {
	all, err := a.issued()
	if err != nil || len(all[name]) == 0 {
		return err
	}
	return a.note(name, ended)
}

// issued returns the serial numbers that names were given, in order.
func (a *authority) issued() (map[string][]string, error) {
	text, err := readFile(filepath.Join(a.dir, issuedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range strings.Lines(string(text)) {
		name, serial, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok {
			all[name] = append(all[name], serial)
		}
	}
	return all, nil
}

// Revoked returns the list of the certificates that must open no broker any more
// (a CRL, RFC 5280, 5, PEM): those of cameras, viewers and keepers that the roster does not
// name, and those that somebody of the same name had before. A broker needs it beside
// the authority; to cameras and viewers it means nothing.
//
// It is valid as long as the authority. A broker that keeps an old list is behind by
// what was removed since, and one whose list ended would let nobody in: with nobody
// there to write a new one, the latter is worse in a home.
func (h *Household) Revoked() ([]byte, error) {
	r, _, err := h.Roster()
	if err != nil {
		return nil, err
	}
	all, err := h.ca.issued()
	if err != nil {
		return nil, err
	}
	now := h.now()
	template := &x509.RevocationList{
		Number: big.NewInt(now.UnixMilli()), ThisUpdate: later(now.Add(-backdate), h.ca.cert.NotBefore), NextUpdate: h.ca.cert.NotAfter,
	}
	for name, serials := range all {
		for _, s := range over(serials, listed(r, name)) {
			if n, ok := new(big.Int).SetString(s, 16); ok {
				template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: template.ThisUpdate})
			}
		}
	}
	slices.SortFunc(template.RevokedCertificateEntries, func(a, b x509.RevocationListEntry) int { return a.SerialNumber.Cmp(b.SerialNumber) })
	der, err := x509.CreateRevocationList(rand.Reader, template, h.ca.cert, h.ca.key)
	if err != nil {
		return nil, fmt.Errorf("the household's authority cannot sign a list of revoked certificates: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
}

// over returns which of a name's serial numbers must open nothing any more: all of
// a name that is not listed, and those before the last end of one that is.
func over(serials []string, listed bool) []string {
	if !listed {
		return serials
	}
	for i := len(serials) - 1; i >= 0; i-- {
		if serials[i] == ended {
			return serials[:i]
		}
	}
	return nil
}

// listed says whether the roster names whom a certificate names. A name of another
// kind is not for a list to end.
func listed(r *seal.Roster, name string) bool {
	if viewer, ok := strings.CutPrefix(name, ViewerPrefix); ok {
		return viewerIndex(r, viewer) >= 0
	}
	if keeper, ok := strings.CutPrefix(name, KeeperPrefix); ok {
		return slices.ContainsFunc(r.Keepers, func(k seal.Keeper) bool { return k.Name == keeper })
	}
	if id, err := seal.ParseCameraID(name); err == nil {
		_, ok := r.Camera(id)
		return ok
	}
	return true
}
