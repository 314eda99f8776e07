package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
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
authority, its configuration and its access rules. The rules name every viewer:
after a change of viewers write them again, with sealcam household acl.`,
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
	dir, err := filepath.Abs(rest[1])
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	conf, err := mosquitto.Write(dir, mosquitto.Config{
		About: fmt.Sprintf("Mosquitto for household %s. Written by sealcam household broker.", h.ID()),
		Port:  8883, CA: h.Authority(), Cert: cert, Key: key, Rules: accessRules(r), Limit: seal.MaxSealed + 1024,
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
	rest, err := verbArgs(env, args, "household acl", "", `
Prints the access rules that let cameras and viewers of the household do their
part on a Mosquitto broker, and no more. They name every viewer as the roster has
it: write them again after a change of viewers, and have Mosquitto read them again
(kill -HUP).`, []string{"DIR"}, nil)
	if err != nil {
		return err
	}
	about, err := identity.ReadHousehold(rest[0])
	if err != nil {
		return hintNoHousehold(rest[0], err)
	}
	_, err = io.WriteString(env.Stdout, accessRules(about.Roster))
	return err
}

// accessRules lets each camera do what it likes below its own name, and each
// viewer read all of the household and write commands, rosters and settings.
func accessRules(r *seal.Roster) string {
	var b strings.Builder
	b.WriteString(mosquittoACL)
	for _, v := range r.Viewers {
		fmt.Fprintf(&b, "\nuser %s%s\ntopic read sealcam/v1/#\ntopic write sealcam/v1/+/cmd\ntopic write sealcam/v1/+/roster\ntopic write sealcam/v1/+/settings/+\n", identity.ViewerPrefix, v.Name)
	}
	return b.String()
}

func householdPublish(ctx context.Context, env *cli.Env, args []string) error {
	var name, broker string
	var wait time.Duration
	rest, err := verbArgs(env, args, "household publish", "[--viewer NAME] [--broker URL]", `
Compares the household with what the broker keeps, and brings the newest roster to
it, for every camera and viewer. Every change of the household tries this at once,
and a running sealcam watch or view does so by itself.`,
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
