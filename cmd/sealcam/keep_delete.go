package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// deletionLife is how long an order to delete holds.
const deletionLife = 10 * time.Minute

// deleteFlags is how "sealcam keep delete" was called.
type deleteFlags struct {
	keeper, url, camera string
	from, to            uint64
	all                 bool
}

func keepDelete(ctx context.Context, env *cli.Env, args []string) error {
	var f deleteFlags
	rest, err := verbArgs(env, args, "keep delete", "--camera CAMERA|--all [--from N --to N] [--keeper NAME] [--url URL]", `
Has a keeper delete, for good, what it keeps of a camera, or of the whole household,
and shows its signed answer. Only the owner can. It does not reach what viewers, other
keepers and backups have.`, []string{"HOUSEHOLD"}, func(fs *flags) {
		fs.StringVar(&f.camera, "camera", "", "name or id of the `camera` whose messages go")
		fs.BoolVar(&f.all, "all", false, "all of the household's go")
		fs.Uint64Var(&f.from, "from", 0, "only from this `number` of the camera's on")
		fs.Uint64Var(&f.to, "to", 0, "only up to this `number`")
		fs.StringVar(&f.keeper, "keeper", "", "`name` of the keeper; the only one if empty")
		fs.StringVar(&f.url, "url", "", "`URL` of the keeper; the roster's if empty")
	})
	switch {
	case err != nil:
		return err
	case (f.camera == "") == !f.all:
		return cli.Usagef("either --camera, or --all")
	case (f.from == 0) != (f.to == 0) || f.from > f.to || f.all && f.from > 0:
		return cli.Usagef("--from and --to go together, with --camera")
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	r, _, err := h.Roster()
	if err != nil {
		return err
	}
	k, err := keeperOf(r, f)
	if err != nil {
		return err
	}
	d := seal.Deletion{Household: h.ID(), Keeper: k.ID(), From: f.from, To: f.to, Issued: time.Now(), Expires: time.Now().Add(deletionLife)}
	d.Counter = uint64(max(d.Issued.UnixMilli(), 1))
	if f.camera != "" {
		c, err := findCamera(r, f.camera)
		if err != nil {
			return err
		}
		d.Camera = c.ID
	}
	done, err := orderDeletion(ctx, h, r, k, d)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "deleted  %d messages, %s\nsigned   by keeper %s at %s\n", done.Messages, volume(done.Bytes), done.Name, done.Issued.Local().Format(time.DateTime))
	return nil
}

// keeperOf returns the keeper that is meant, with its URL.
func keeperOf(r *seal.Roster, f deleteFlags) (seal.Keeper, error) {
	for _, k := range r.Keepers {
		if k.Name != f.keeper && (f.keeper != "" || len(r.Keepers) > 1) {
			continue
		}
		if f.url != "" {
			k.URL = f.url
		}
		if k.URL == "" {
			return k, cli.Usagef("the roster does not say where keeper %s is: give its --url", k.Name)
		}
		return k, nil
	}
	if f.keeper == "" && len(r.Keepers) > 1 {
		return seal.Keeper{}, cli.Usagef("the household has %d keepers: name one with --keeper", len(r.Keepers))
	}
	return seal.Keeper{}, fmt.Errorf("the household has no keeper %s", f.keeper)
}

// orderDeletion sends a deletion, and checks the keeper's answer.
func orderDeletion(ctx context.Context, h *identity.Household, r *seal.Roster, k seal.Keeper, d seal.Deletion) (*seal.Deleted, error) {
	order, err := seal.SignDeletion(h.Owner(), d)
	if err != nil {
		return nil, err
	}
	opened, err := seal.OpenDeletion(r, order)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, deletionLife)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.URL+"/v1/households/"+string(h.ID())+"/delete", bytes.NewReader(order))
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(h.Authority())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, seal.MaxCommand+1))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keeper answers %s: %s", answer.Status, cli.Printable(string(b), 300))
	}
	done, err := seal.OpenDeleted(r, b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the keeper's answer proves nothing: %w", err)
	case done.Deletion != opened.Hash || done.Keeper != k.ID():
		return nil, fmt.Errorf("the keeper's answer is about something else, or another keeper's")
	}
	return done, nil
}
