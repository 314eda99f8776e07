package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/seal"
)

const keeperAbout = `sealcam household keeper: who stores what the cameras seal

A keeper (sealcam keep) holds sealed pictures for viewers that were away, and can
open none. It is a keeper of this household when the roster says so.`

func householdKeeper(ctx context.Context, env *cli.Env, args []string) error {
	return cli.Dispatch(ctx, env, "sealcam household keeper", keeperAbout, []cli.Command{
		{Name: "add", Short: "make a keeper's identity, or take in one that has its own", Run: keeperAdd},
		{Name: "renew", Short: "sign a new certificate for a keeper", Run: keeperRenew},
		{Name: "remove", Short: "let a keeper go", Run: keeperRemove},
	}, args)
}

func keeperAdd(ctx context.Context, env *cli.Env, args []string) error {
	var url, hosts, public string
	rest, err := verbArgs(env, args, "household keeper add", "[--url URL] [--host NAME[,NAME...]] [--public FILE]", `
Makes a keeper called NAME: its key, which the roster names, and a certificate of
the household's authority, for the broker and for the host of its URL. They are
in DIR/keepers/NAME: carry that directory to where it runs. A keeper that has a key
already, because it keeps for others too, gives its public half in a file (PEM).`,
		[]string{"DIR", "NAME"}, func(fs *flags) {
			fs.StringVar(&url, "url", "", "where viewers read from it, https://HOST[:PORT]")
			fs.StringVar(&hosts, "host", "", "further `names` or addresses of it for the certificate, with commas between")
			fs.StringVar(&public, "public", "", "`file` with the public key of a keeper that has its own, PEM")
		})
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	if public != "" {
		if hosts != "" {
			return cli.Usagef("--host is for a certificate, which a keeper with --public has already")
		}
		key, err := readPublicKey(public)
		if err != nil {
			return err
		}
		k := seal.Keeper{Name: rest[1], Key: key, URL: url}
		if err := h.EnrollKeeper(k); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "keeper  %s  %s\n"+aclText, k.ID(), k.Name, rest[0])
		return spread(ctx, env.Stdout, rest[0])
	}
	k, err := h.AddKeeper(rest[1], url, split(hosts)...)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "keeper    %s  %s\nidentity  %s\n"+aclText, k.ID(), k.Name(), h.KeeperDir(k.Name()), rest[0])
	return spread(ctx, env.Stdout, rest[0])
}

// readPublicKey reads a public key as openssl pkey -pubout writes it.
func readPublicKey(path string) ([]byte, error) {
	text, err := readBounded(nil, path, maxRequest)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("%s: expected one PEM block %q", path, "PUBLIC KEY")
	}
	if _, err := seal.ParsePublicKey(block.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return block.Bytes, nil
}

func keeperRenew(_ context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household keeper renew", "", `
Signs a new certificate for the keeper NAME, whose keys are in DIR/keepers/NAME.
Copy tls.crt from there to where it runs.`, []string{"DIR", "NAME"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	k, err := h.RenewKeeper(rest[1])
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "keeper  %s  %s  until %s\n", k.ID(), k.Name(), day(k.Expires()))
	return nil
}

func keeperRemove(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household keeper remove", "", `
Lets a keeper go: cameras and viewers that have the new roster take nothing from it
any more. What it keeps it may go on keeping, and cannot open: have it deleted
before.`, []string{"DIR", "NAME"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	if err := h.RemoveKeeper(rest[1]); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "removed  %s\n"+aclText, rest[1], rest[0])
	return spread(ctx, env.Stdout, rest[0])
}

func householdRoles(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household roles", "", `
Says what the viewer NAME may: ROLES is some of watch, command and add, with commas
between. watch is to be sealed to, to ask for pictures and to read from keepers;
command is to set cameras; add is to take cameras in. Cameras and keepers hold to
it from the moment they have the new roster.`, []string{"DIR", "NAME", "ROLES"}, nil)
	if err != nil {
		return err
	}
	roles, err := seal.ParseRoles(rest[2])
	if err != nil {
		return cli.Usagef("%v", err)
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	if err := h.SetRoles(rest[1], roles); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "viewer  %s  may %s\n"+aclText, rest[1], roles, rest[0])
	return spread(ctx, env.Stdout, rest[0])
}

func householdGroups(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household groups", "", `
Puts a camera into exactly the GROUPS, which have commas between them; "" for none.
Settings can be signed for a group. CAMERA is its id or its name.`, []string{"DIR", "CAMERA", "GROUPS"}, nil)
	if err != nil {
		return err
	}
	h, id, err := ownCamera(rest[0], rest[1])
	if err != nil {
		return err
	}
	if err := h.SetGroups(id, split(rest[2])); err != nil {
		return err
	}
	r, _, err := h.Roster()
	if err != nil {
		return err
	}
	c, _ := r.Camera(id)
	fmt.Fprintf(env.Stdout, "camera  %s  in %s\n", id, orNone(strings.Join(c.Groups, ",")))
	return spread(ctx, env.Stdout, rest[0])
}

// saidRoles returns what show tells of a viewer beside its name: its roles, unless they
// are the usual ones.
func saidRoles(v seal.Viewer) string {
	if v.Roles == seal.DefaultRoles {
		return ""
	}
	return "\tmay " + v.Roles.String()
}

// inGroups returns what show tells of a camera's groups.
func inGroups(c seal.RosterCamera) string {
	if len(c.Groups) == 0 {
		return ""
	}
	return "\tin " + strings.Join(c.Groups, ",")
}
