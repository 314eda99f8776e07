package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/tuf"
	"github.com/sealcam/sealcam/uplink/ota/tuf/repo"
)

func releaseServe(ctx context.Context, env *cli.Env, args []string) error {
	var listen, cert, key, ownCert string
	rest, err := verbArgs(env, args, "release serve", "[--listen ADDRESS] [--cert FILE --key FILE | --own-cert FILE]", `
Serves the public part of a repository, over HTTPS with a certificate, else over HTTP
to this machine alone. Any other server of static files does as well: no trust
rests on it.`,
		[]string{"DIR"}, func(fs *flags) {
			fs.StringVar(&listen, "listen", "127.0.0.1:8490", "`address` to listen on")
			fs.StringVar(&cert, "cert", "", "`file` with a certificate, PEM")
			fs.StringVar(&key, "key", "", "`file` with its key, PEM")
			fs.StringVar(&ownCert, "own-cert", "", "make a certificate for the listening address, and write it to this `file` for cameras to trust")
		})
	if err != nil {
		return err
	}
	conf, err := serverTLS(listen, cert, key, ownCert)
	if err != nil {
		return err
	}
	handler, err := repo.Handler(rest[0])
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	scheme := "https"
	if conf == nil {
		scheme = "http"
		if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			listener.Close()
			return cli.Usagef("cameras elsewhere read over HTTPS only: --cert and --key, or --own-cert")
		}
	} else {
		listener = tls.NewListener(listener, conf)
	}
	fmt.Fprintf(env.Stdout, "serving  %s://%s\n", scheme, listener.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serverTLS returns nil for HTTP.
func serverTLS(listen, cert, key, ownCert string) (*tls.Config, error) {
	switch {
	case ownCert != "" && (cert != "" || key != ""):
		return nil, cli.Usagef("--own-cert makes a certificate, --cert and --key name one")
	case ownCert != "":
		pair, err := makeServerCert(listen, ownCert)
		return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}, err
	case cert == "" && key == "":
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, err
}

// makeServerCert makes a certificate for the host of an address, which is its own
// authority for a year, and writes it to a file. Its key is in this process alone.
func makeServerCert(listen, file string) (tls.Certificate, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "sealcam releases"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip == nil && host != "" {
		template.DNSNames = append(template.DNSNames, host)
	} else if ip != nil && !ip.IsUnspecified() {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if name, err := os.Hostname(); err == nil {
		template.DNSNames = append(template.DNSNames, name)
		template.IPAddresses = append(template.IPAddresses, ownAddresses()...)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, err
	}
	err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}

// ownAddresses returns what this machine is reached by.
func ownAddresses() []net.IP {
	var ips []net.IP
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok {
			ips = append(ips, n.IP)
		}
	}
	return ips
}

func releaseCheck(ctx context.Context, env *cli.Env, args []string) error {
	var camera tuf.Camera
	var kind, rootFile, caFile, out string
	rest, err := verbArgs(env, args, "release check", "--root FILE --board NAME --arch ARCH [--channel NAME] [--kind agent|system] [--camera ID] [--ca FILE] [--fetch FILE]", `
Says what a camera would get from the repository at URL (https://, file:///, or http://
on this machine), as the camera itself finds out, and why what it refuses.`,
		[]string{"URL"}, func(fs *flags) {
			fs.StringVar(&rootFile, "root", "", "`file` with the root that the camera was made with")
			fs.StringVar(&camera.ID, "camera", "", "the camera's `id`, for a release that only a share of the cameras gets")
			fs.StringVar(&camera.Board, "board", "", "`name` of its board")
			fs.StringVar(&camera.Arch, "arch", "", "its `architecture`")
			fs.StringVar(&camera.Channel, "channel", "stable", "`name` of its channel")
			fs.StringVar(&kind, "kind", "agent", "`what` it replaces: agent or system")
			fs.StringVar(&caFile, "ca", "", "`file` with the authority of the server's certificate, if it is none that this machine knows")
			fs.StringVar(&out, "fetch", "", "bring it, and write it to this `file`")
		})
	switch {
	case err != nil:
		return err
	case rootFile == "" || camera.Board == "" || camera.Arch == "":
		return cli.Usagef("--root, --board and --arch are needed")
	}
	camera.Kind = ota.Kind(kind)
	client, done, err := releaseClient(rest[0], rootFile, caFile, camera)
	if err != nil {
		return err
	}
	defer done()
	r, err := client.Check(ctx)
	if err != nil {
		return err
	}
	if r == nil {
		_, err := fmt.Fprintln(env.Stdout, "release  none for this camera")
		return err
	}
	fmt.Fprintf(env.Stdout, "release  %s\nversion  %s\nnumber   %d\nbytes    %d\nsha256   %x\n", r.Path, r.Version, r.Number, r.Size, r.SHA256)
	if out == "" {
		return nil
	}
	path, err := client.Fetch(ctx, *r)
	if err != nil {
		return err
	}
	return moveFile(path, out)
}

// maxRoot bounds a root, and an authority, that is read from a file, in bytes.
const maxRoot = 256 << 10

// releaseClient returns a camera's client that forgets all when done is called.
func releaseClient(address, rootFile, caFile string, camera tuf.Camera) (*tuf.Client, func(), error) {
	root, err := readBounded(nil, rootFile, maxRoot)
	if err != nil {
		return nil, nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		ca, err := readBounded(nil, caFile, maxRoot)
		if err != nil {
			return nil, nil, err
		}
		if conf.RootCAs = x509.NewCertPool(); !conf.RootCAs.AppendCertsFromPEM(ca) {
			return nil, nil, fmt.Errorf("%s: no certificate in it", caFile)
		}
	}
	metadata, targets, err := tuf.Folders(address, conf)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "sealcam-release-")
	if err != nil {
		return nil, nil, err
	}
	client, err := tuf.New(tuf.Config{Dir: dir, Root: root, Metadata: metadata, Targets: targets, Camera: camera, Now: time.Now})
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return client, func() { os.RemoveAll(dir) }, nil
}

// moveFile writes what is at from to the file to, which may lie on another disk.
func moveFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	return errors.Join(err, out.Close())
}
