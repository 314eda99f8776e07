package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// handshake connects a client to a server in memory and returns the client's
// name as the server saw it.
func handshake(t *testing.T, server, client *tls.Config) (string, error) {
	t.Helper()
	a, b := net.Pipe()
	deadline := time.Now().Add(20 * time.Second)
	_ = a.SetDeadline(deadline)
	_ = b.SetDeadline(deadline)
	clientErr := make(chan error, 1)
	go func() {
		defer b.Close()
		conn := tls.Client(b, client)
		_, err := io.ReadAll(conn) // in TLS 1.3 a refused certificate shows on the first read
		clientErr <- err
	}()
	conn := tls.Server(a, server)
	err := conn.Handshake()
	name := ""
	if err == nil {
		name = conn.ConnectionState().PeerCertificates[0].Subject.CommonName
		_ = conn.Close()
	}
	_ = a.Close()
	return name, errors.Join(err, <-clientErr)
}

func TestTLS(t *testing.T) {
	h, stranger := newHousehold(t), newHousehold(t)
	c, _ := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	server := func(h *identity.Household) *tls.Config {
		conf, err := h.ServerTLS("broker.lan", "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		conf.Time = clock
		return conf
	}
	client := func(conf *tls.Config, err error) *tls.Config {
		if err != nil {
			t.Fatal(err)
		}
		conf.ServerName, conf.Time = "broker.lan", clock
		return conf
	}
	if name, err := handshake(t, server(h), client(c.TLS())); err != nil || name != string(c.ID()) {
		t.Errorf("camera: known as %q, %v", name, err)
	}
	if name, err := handshake(t, server(h), client(v.TLS(), nil)); err != nil || name != "viewer-desk" {
		t.Errorf("viewer: known as %q, %v", name, err)
	}
	byAddress := client(c.TLS())
	byAddress.ServerName = "127.0.0.1"
	if _, err := handshake(t, server(h), byAddress); err != nil {
		t.Errorf("by address: %v", err)
	}
	if _, err := handshake(t, server(stranger), client(c.TLS())); err == nil {
		t.Error("a camera talks to a stranger's broker")
	}
	wrongName := client(c.TLS())
	wrongName.ServerName = "elsewhere.lan"
	if _, err := handshake(t, server(h), wrongName); err == nil {
		t.Error("a camera talks to a broker of another name")
	}
	naked := client(c.TLS())
	naked.Certificates = nil
	if _, err := handshake(t, server(h), naked); err == nil {
		t.Error("a broker takes a client without a certificate")
	}
	if leaf := client(c.TLS()).Certificates[0].Leaf; !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || leaf.IsCA {
		t.Errorf("a camera's certificate is good for %v, authority %v", leaf.ExtKeyUsage, leaf.IsCA)
	}
	asClient := client(c.TLS())
	asClient.Certificates = server(h).Certificates
	if _, err := handshake(t, server(h), asClient); err == nil {
		t.Error("a broker's certificate serves as a client's")
	}
	late := client(c.TLS())
	late.Time = func() time.Time { return someday.AddDate(11, 0, 0) }
	if _, err := handshake(t, server(h), late); err == nil {
		t.Error("an expired broker is believed")
	}
}

func TestIssueServerRefusesWhatIsNoHost(t *testing.T) {
	h := newHousehold(t)
	for _, hosts := range [][]string{nil, {""}, {"a b"}, {"x/y"}, {"*.lan"}, {"ok.lan", "new\nline"}} {
		if _, _, err := h.IssueServer(hosts...); err == nil {
			t.Errorf("%q: issued", hosts)
		}
	}
	cert, key, err := h.IssueServer("broker.lan", "::1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		t.Error(err)
	}
	block, _ := pem.Decode(cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil || leaf.NotBefore.After(someday) || !slices.Equal(leaf.DNSNames, []string{"broker.lan"}) || len(leaf.IPAddresses) != 1 {
		t.Errorf("certificate from %v for %v %v, %v", leaf.NotBefore, leaf.DNSNames, leaf.IPAddresses, err)
	}
}

func TestPairRefusesForeignRequests(t *testing.T) {
	h := newHousehold(t)
	c, _ := newCamera(t)
	if err := h.AddCamera(c.ID(), "Garden"); err != nil {
		t.Fatal(err)
	}
	csr, err := c.CertificateRequest()
	if err != nil {
		t.Fatal(err)
	}
	forged := append([]byte(nil), csr...)
	forged[len(forged)-1] ^= 1
	for name, bad := range map[string][]byte{"garbage": []byte("x"), "empty": {}, "signature broken": forged, "too large": make([]byte, seal.MaxCSR+1)} {
		if _, err := h.Pair(c.ID(), bad); err == nil {
			t.Errorf("%s: certified", name)
		}
	}
	if _, err := h.Pair(c.ID(), nil); err == nil {
		t.Error("certified without any request")
	}
	if _, err := h.Pair(c.ID(), csr); err != nil {
		t.Error(err)
	}
}
