package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// leaveTime is how long a broker may take to let one camera clean up.
const leaveTime = time.Minute

// leave takes back what the cameras have left on a broker that is not of the run:
// brokers keep what a camera said last about itself for good.
func (cs *cameras) leave(url string) error {
	url, _, _ = strings.Cut(url, ",")
	return cs.many(func(i int) error {
		if err := cs.takeBack(cs.all[i], url); err != nil {
			return fmt.Errorf("camera %s: what the broker keeps of it could not be taken back: %w", cs.all[i].id, err)
		}
		return nil
	})
}

// takeBack empties the retained topics of one camera.
func (cs *cameras) takeBack(c *camera, url string) error {
	ctx, stop := context.WithTimeout(context.Background(), leaveTime)
	defer stop()
	id, err := identity.OpenCamera(cs.camera(c.number))
	if err != nil {
		return err
	}
	conf, err := id.TLS()
	if err != nil {
		return err
	}
	conn, err := mqtt.Dial(ctx, mqtt.Config{URL: url, TLS: conf, ClientID: string(c.id)})
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, kind := range []string{"hello", "status"} {
		token := conn.Publish(ctx, mqtt.Message{Topic: fmt.Sprintf("sealcam/v1/%s/%s", c.id, kind), QoS: 1, Retained: true})
		select {
		case <-token.Done():
			err = errors.Join(err, token.Err())
		case <-conn.Done():
			return conn.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}
