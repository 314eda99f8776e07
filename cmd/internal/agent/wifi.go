package agent

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
)

const (
	wifiTime = time.Minute     // for the command
	wifiRest = 5 * time.Second // for what it leaves behind to let go of its output
	wifiTold = 300             // bytes of what it says when it fails
)

var errNoWiFi = errors.New("the settings name no command for it (pairing.wifi)")

// joinWiFi runs the command of the settings with the network's name and secret
// as two more arguments. Both are in hexadecimal: they are any bytes, NUL can be
// in no argument, and a command that writes them into a file of some form
// cannot be made to write something else.
func joinWiFi(ctx context.Context, argv []string, w *identity.WiFi) error {
	if len(argv) == 0 {
		return errNoWiFi
	}
	return command(ctx, wifiTime, argv, hex.EncodeToString(w.SSID), hex.EncodeToString(w.Secret))
}

// command runs argv with more arguments, for limit at most. No shell is between.
func command(ctx context.Context, limit time.Duration, argv []string, more ...string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], append(slices.Clone(argv[1:]), more...)...)
	said := tail{max: wifiTold}
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = wifiRest
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("%s: %w: %q", argv[0], err, bytes.TrimSpace(said.b))
	}
	return nil
}

// tail keeps the last bytes written to it.
type tail struct {
	b   []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-t.max):]...)
	t.b = t.b[max(0, len(t.b)-t.max):]
	return len(p), nil
}
