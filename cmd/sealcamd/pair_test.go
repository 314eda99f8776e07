package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/lenstest"
	"github.com/sealcam/sealcam/cmd/internal/pairing"
	"github.com/sealcam/sealcam/cmd/internal/qr"
)

// An unclaimed camera sees a code, asks, is confirmed, and talks to the broker
// that the code names, with the certificate that it was given.
func TestPairedThroughTheLens(t *testing.T) {
	h := home(t)
	s, err := pairing.Start(pairing.Config{
		Household: h, Name: "Front door", Listen: "127.0.0.1:0", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(s.Text())
	if err != nil {
		t.Fatal(err)
	}
	var film bytes.Buffer
	view := lenstest.NewFilm(code, lenstest.View{Width: 640, Height: 480, Share: .6, Tilt: 15, Bright: .5, Noise: 6})
	for range 10 {
		if err := jpeg.Encode(&film, view.Next(), &jpeg.Options{Quality: 70}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "film.mjpeg")
	if err := os.WriteFile(source, film.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	config := writeSettings(t, dir, fmt.Sprintf("[camera]\nsource = %q\n", source))

	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	cmd := sealcamd(ctx, "-config", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	words := make(chan string, 1)
	go func() {
		for e := range s.Progress() {
			if e.Kind == pairing.Read {
				words <- e.Words
				s.Confirm(true)
			}
		}
	}()
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		t.Log(lines.Text())
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "msg=connected") {
			break
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"belongs to no household yet", "before the lens", `words="` + <-words + `"`, "household=" + string(h.ID()), "msg=connected"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("sealcamd did not say %q", want)
		}
	}
	stop()
	_ = cmd.Wait()
}
