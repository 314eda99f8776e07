package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// mosquittoACL: safety never depends on these rules; they keep a camera from
// getting in the way of another.
const mosquittoACL = `# Cameras: everything below their own name, which is their certificate's.
pattern readwrite sealcam/v1/%u/#
`

func householdBroker(_ context.Context, env *cli.Env, args []string) error {
	var host string
	rest, err := verbArgs(env, args, "household broker", "--host NAME[,NAME...]", `
Writes into NEWDIR what a Mosquitto broker needs to serve the household, and nobody
else: a certificate for the names or addresses it is reached by, the household's
authority, its configuration and its access rules. The rules name every viewer and
keeper: after a change of these write them again, with sealcam household acl.`,
		[]string{"DIR", "NEWDIR"}, func(fs *flags) {
			fs.StringVar(&host, "host", "", "`names` or addresses under which the broker is reached, with commas between")
		})
	if err != nil {
		return err
	}
	hosts := split(host)
	if len(hosts) == 0 {
		return cli.Usagef("--host is missing: under which name or address is the broker reached?")
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	r, _, err := h.Roster()
	if err != nil {
		return err
	}
	cert, key, err := h.IssueServer(hosts...)
	if err != nil {
		return err
	}
	revoked, err := h.Revoked()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(rest[1])
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	conf, err := mosquitto.Write(dir, mosquitto.Config{
		About: fmt.Sprintf("Mosquitto for household %s. Written by sealcam household broker.", h.ID()),
		Port:  8883, CA: h.Authority(), Cert: cert, Key: key, Revoked: revoked, Rules: accessRules(r), Limit: seal.MaxSealed + 1024,
	})
	if err != nil {
		return err
	}
	if h.Broker() == "" {
		if err := h.SetBroker("mqtts://" + net.JoinHostPort(hosts[0], "8883")); err != nil {
			return err
		}
	}
	fmt.Fprintf(env.Stdout, "broker  %s\n\nThe user that Mosquitto runs as must be able to read server.key:\n  chown mosquitto %s\n  mosquitto -c %s\n", h.Broker(), filepath.Join(dir, "server.key"), conf)
	return nil
}

func householdACL(_ context.Context, env *cli.Env, args []string) error {
	var server string
	rest, err := verbArgs(env, args, "household acl", "[--for mosquitto|nats]", `
Prints the access rules that let cameras, viewers and keepers of the household do
their part on a Mosquitto broker, and no more. They name every viewer and keeper as
the roster has it: write them again after a change of these, and have Mosquitto read
them again (kill -HUP). Those for nats-server are the users of its "authorization",
for an MQTT listener with verify_and_map; they name every camera too.`,
		[]string{"DIR"}, func(fs *flags) {
			fs.StringVar(&server, "for", "mosquitto", "the `broker` that they are for")
		})
	if err != nil {
		return err
	}
	rules, ok := map[string]func(*seal.Roster) string{"mosquitto": accessRules, "nats": natsRules}[server]
	if !ok {
		return cli.Usagef("--for %q: there are rules for mosquitto and nats", server)
	}
	about, err := identity.ReadHousehold(rest[0])
	if err != nil {
		return hintNoHousehold(rest[0], err)
	}
	_, err = io.WriteString(env.Stdout, rules(about.Roster))
	return err
}

func householdCRL(_ context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household crl", "", `
Prints the list of revoked certificates (a CRL): those of cameras and viewers that
were removed. A broker that has it lets none of them in any more; what they may see
or say their removal has ended already. Write it again after a removal, over the
broker's revoked.crl, and have Mosquitto read it: it needs a restart (or kill -HUP for
those who come anew). For nats-server take the name out of its users, and reload.
A household that was recovered without its directory does not know older ones.`, []string{"DIR"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	list, err := h.Revoked()
	if err != nil {
		return err
	}
	_, err = env.Stdout.Write(list)
	return err
}

// accessRules lets each camera do what it likes below its own name, and each
// viewer and keeper read all of the household and write what cameras are told.
func accessRules(r *seal.Roster) string {
	var b strings.Builder
	b.WriteString(mosquittoACL)
	for _, user := range brokerUsers(r) {
		fmt.Fprintf(&b, "\nuser %s\ntopic read sealcam/v1/#\n", user)
		for _, kind := range toldKinds() {
			fmt.Fprintf(&b, "topic write sealcam/v1/+/%s\n", kind)
		}
	}
	return b.String()
}

// brokerUsers returns the names at the broker of all but the cameras: those in their
// certificates.
func brokerUsers(r *seal.Roster) []string {
	var users []string
	for _, v := range r.Viewers {
		users = append(users, identity.ViewerPrefix+v.Name)
	}
	for _, k := range r.Keepers {
		users = append(users, identity.KeeperPrefix+k.Name)
	}
	return users
}

// toldKinds are the topics below a camera's name on which it is told something.
func toldKinds() []string { return []string{"cmd", "roster", "settings/+"} }

// natsRules says the same as the users of nats-server's configuration: a topic's slash
// is a subject's dot, and there is no pattern for a camera's own name.
func natsRules(r *seal.Roster) string {
	var b strings.Builder
	user := func(name, subscribe string, publish ...string) {
		for i, topic := range publish {
			publish[i] = fmt.Sprintf("%q", natsSubject(topic))
		}
		fmt.Fprintf(&b, "  { user: %q, permissions: { publish: [%s], subscribe: [%q, \"$MQTT.sub.>\"] } }\n",
			"CN="+name, strings.Join(publish, ", "), natsSubject(subscribe))
	}
	b.WriteString("users: [\n")
	for _, c := range r.Cameras {
		own := "sealcam/v1/" + string(c.ID) + "/#"
		user(string(c.ID), own, own)
	}
	var told []string
	for _, kind := range toldKinds() {
		told = append(told, "sealcam/v1/+/"+kind)
	}
	for _, name := range brokerUsers(r) {
		user(name, "sealcam/v1/#", slices.Clone(told)...)
	}
	b.WriteString("]\n")
	return b.String()
}

func natsSubject(topic string) string {
	return strings.NewReplacer("/", ".", "+", "*", "#", ">").Replace(topic)
}

func householdPublish(ctx context.Context, env *cli.Env, args []string) error {
	var name, broker string
	var wait time.Duration
	rest, err := verbArgs(env, args, "household publish", "[--viewer NAME] [--broker URL]", `
Compares the household with what the broker keeps, and brings the newest roster to
it, for every camera and viewer. What operators have added to an older one is taken
in first, or named. Every change of the household tries this at once, and a running
sealcam watch or view brings the roster by itself.`,
		[]string{"DIR"}, func(fs *flags) {
			fs.StringVar(&name, "viewer", "", "as which viewer to connect; the first one here if empty")
			fs.StringVar(&broker, "broker", "", "the broker's `URL`; the household's own if empty")
			fs.DurationVar(&wait, "timeout", 30*time.Second, "give up after this long")
		})
	if err != nil {
		return err
	}
	if name == "" {
		if name, err = localViewer(rest[0]); err != nil {
			return hintNoHousehold(rest[0], err)
		}
	}
	who, up, err := connect(rest[0], name, broker, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return visiting(ctx, up, true, func(ctx context.Context, v *visit) error { return publish(ctx, env.Stdout, rest[0], who, v) })
}

// connect opens a viewer of the household in dir and its way to the broker.
func connect(dir, name, broker string, log *slog.Logger) (*identity.Viewer, *feed.Broker, error) {
	return connectTo(dir, name, broker, feed.BrokerConfig{Log: log})
}

// connectTo is connect to a feed that c says more about.
func connectTo(dir, name, broker string, c feed.BrokerConfig) (*identity.Viewer, *feed.Broker, error) {
	who, err := identity.OpenViewer(dir, name)
	if err != nil {
		return nil, nil, hintNoHousehold(dir, err)
	}
	if broker == "" {
		broker = who.Broker()
	}
	if broker == "" {
		return nil, nil, cli.Hint(fmt.Errorf("%s: the household names no broker", dir), "give its URL with --broker mqtts://HOST:8883")
	}
	c.MQTT = mqtt.Config{URL: broker, TLS: who.TLS()}
	up, err := feed.NewBroker(c)
	return who, up, err
}
