package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const householdAbout = `sealcam household: whose cameras, and whose viewers

A household is a directory. In the owner's one lie the keys that sign its roster
and its certificates: keep it to yourself, and keep a copy in a safe place.`

// householdVerbs lists what can be done with a household.
func householdVerbs() []cli.Command {
	return []cli.Command{
		{Name: "create", Short: "make a household with one viewer", Run: householdCreate},
		{Name: "show", Short: "list cameras, viewers and keepers", Run: householdShow},
		{Name: "add-camera", Short: "take a camera in, and write its pairing", Run: householdAddCamera},
		{Name: "pair", Short: "write a camera's pairing again", Run: householdPair},
		{Name: "rename-camera", Short: "call a camera something else", Run: householdRenameCamera},
		{Name: "remove-camera", Short: "let a camera go", Run: householdRemoveCamera},
		{Name: "reset-camera", Short: "have a camera destroy its key, and let it go", Run: householdResetCamera},
		{Name: "add-viewer", Short: "let one more phone, screen or service look", Run: householdAddViewer},
		{Name: "export-viewer", Short: "write what one viewer needs, without the owner key", Run: householdExportViewer},
		{Name: "remove-viewer", Short: "stop a viewer from the next picture on", Run: householdRemoveViewer},
		{Name: "log", Short: "list what was changed, when, and by which key", Run: householdLog},
		{Name: "roles", Short: "say what a viewer may", Run: householdRoles},
		{Name: "groups", Short: "put a camera into groups", Run: householdGroups},
		{Name: "keeper", Short: "say who stores what the cameras seal", Run: householdKeeper},
		{Name: "broker", Short: "write certificates and access rules for a Mosquitto broker", Run: householdBroker},
		{Name: "acl", Short: "print the access rules for a broker", Run: householdACL},
		{Name: "crl", Short: "print whom a broker must no longer let in", Run: householdCRL},
		{Name: "publish", Short: "bring the newest roster to every camera now", Run: householdPublish},
		{Name: "recovery", Short: "write a key to keep elsewhere, in case this directory is lost", Run: householdRecovery},
		{Name: "recover", Short: "take control again with a recovery file", Run: householdRecover},
		{Name: "rotate-owner", Short: "replace the owner key", Run: householdRotateOwner},
		{Name: "export", Short: "write the whole household into one encrypted file", Run: householdExport},
		{Name: "import", Short: "go on with an exported household", Run: householdImport},
	}
}

// runHousehold is "sealcam household".
func runHousehold(ctx context.Context, env *cli.Env, args []string) error {
	return cli.Dispatch(ctx, env, "sealcam household", householdAbout, householdVerbs(), args)
}

func householdCreate(_ context.Context, env *cli.Env, args []string) error {
	var broker, viewer, caCert, caKey string
	rest, err := verbArgs(env, args, "household create", "[--broker URL] [--viewer NAME] [--ca-cert FILE --ca-key FILE]", `
Makes a household in DIR: an owner key, a certificate authority for its broker,
and a first viewer, because cameras seal to viewers and to nobody else. A fleet
that has an authority for its broker names its files; they are copied into DIR.`,
		[]string{"DIR"}, func(fs *flags) {
			fs.StringVar(&broker, "broker", "", "`URL` of the broker that cameras and viewers meet at, mqtts://HOST:8883")
			fs.StringVar(&viewer, "viewer", "desk", "`name` of the first viewer")
			fs.StringVar(&caCert, "ca-cert", "", "`file` with the certificate of an authority that there is, PEM")
			fs.StringVar(&caKey, "ca-key", "", "`file` with its key, PEM, not encrypted")
		})
	if err != nil {
		return err
	}
	if err := identity.CheckViewerName(viewer); err != nil {
		return err
	}
	h, err := createHousehold(rest[0], broker, caCert, caKey)
	if err != nil {
		return err
	}
	if _, err := h.AddViewer(viewer); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "household  %s\nviewer     %s\n\n", h.ID(), viewer)
	fmt.Fprintf(env.Stdout, "Next: take a camera in, by a code that you hold before its lens.\n  sealcam pair --household %s --name Garden\n", rest[0])
	return nil
}

// createHousehold makes a household, under an authority of its own or under the
// one in two files.
func createHousehold(dir, broker, caCert, caKey string) (*identity.Household, error) {
	if caCert == "" && caKey == "" {
		return identity.CreateHousehold(dir, broker, time.Now)
	}
	if caCert == "" || caKey == "" {
		return nil, cli.Usagef("--ca-cert and --ca-key belong together")
	}
	cert, err := readBounded(nil, caCert, maxRequest)
	if err != nil {
		return nil, err
	}
	key, err := readBounded(nil, caKey, maxRequest)
	if err != nil {
		return nil, err
	}
	return identity.CreateHouseholdUnder(dir, broker, key, cert, time.Now)
}

func householdShow(_ context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household show", "", `
Lists the household's cameras and viewers as the newest roster has them. It
works in a viewer's directory too.`, []string{"DIR"}, nil)
	if err != nil {
		return err
	}
	about, err := identity.ReadHousehold(rest[0])
	if err != nil {
		return hintNoHousehold(rest[0], err)
	}
	r := about.Roster
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "household\t%s\nbroker\t%s\nroster\t%d, of %s\n", about.ID, orNone(about.Broker), r.Version, day(r.Issued))
	fmt.Fprintf(w, "owner\t%s\t%s\n", r.Signer, recoveries(r))
	for _, c := range r.Cameras {
		fmt.Fprintf(w, "camera\t%s\t%s\tsince %s%s\n", c.ID, c.Name, day(c.Since), inGroups(c))
	}
	for _, v := range r.Viewers {
		fmt.Fprintf(w, "viewer\t%s\t%s%s\n", v.ID(), v.Name, saidRoles(v))
	}
	for _, k := range r.Keepers {
		fmt.Fprintf(w, "keeper\t%s\t%s\t%s\n", k.ID(), k.Name, k.URL)
	}
	for _, id := range r.Revoked {
		fmt.Fprintf(w, "removed\t%s\n", id)
	}
	return w.Flush()
}

// recoveries says how many recovery files there are: owner keys beside the one
// that signed last.
func recoveries(r *seal.Roster) string {
	n := len(r.Owners()) - 1
	if n < 1 {
		return "no recovery file"
	}
	return fmt.Sprintf("%d recovery %s", n, plural(n, "file"))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func day(t time.Time) string {
	if t.IsZero() {
		return "an unknown day"
	}
	return t.Format(time.DateOnly)
}

// openOwner opens the household in dir as its owner.
func openOwner(dir string) (*identity.Household, error) {
	h, err := identity.OpenHousehold(dir, time.Now)
	return h, hintNoHousehold(dir, err)
}
