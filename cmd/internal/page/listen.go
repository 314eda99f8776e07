package page

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ErrExposed is the error of Listen for an address that others could reach
// without proving who they are.
var ErrExposed = errors.New("the page would be open to the network")

// Listen opens addr ("127.0.0.1:8480") for the page. Without TLS it accepts
// loopback addresses only. With TLS any address will do, as long as conf asks
// every client for a certificate and verifies it, and speaks TLS 1.3 only.
func Listen(ctx context.Context, addr string, conf *tls.Config) (net.Listener, error) {
	if conf != nil && (conf.ClientAuth != tls.RequireAndVerifyClientCert || conf.ClientCAs == nil || conf.MinVersion < tls.VersionTLS13) {
		return nil, fmt.Errorf("listen on %s: %w: TLS has to be 1.3 and to require the household's client certificate", addr, ErrExposed)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the page: %w", err)
	}
	if conf != nil {
		return tls.NewListener(l, conf), nil
	}
	// Checked on the socket, not on the text: "localhost" may be anything.
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w: use 127.0.0.1, or TLS with the household's client certificate", addr, ErrExposed)
	}
	return l, nil
}

// Serve answers requests on l until ctx ends, then closes l and every open
// stream. It returns nil when ctx ended it.
func (p *Page) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		srv.Close()
	}
	<-done
	return nil
}
