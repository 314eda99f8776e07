package broker

import (
	"crypto/tls"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// rules is the hook by which mochi-mqtt asks who may do what.
type rules struct{ mqtt.HookBase }

// ID implements mqtt.Hook.
func (*rules) ID() string { return "certificate" }

// Provides implements mqtt.Hook.
func (*rules) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck || b == mqtt.OnSubscribe
}

// OnSubscribe frees the packet identifier of a SUBSCRIBE. MQTT counts
// identifiers per direction, but mochi-mqtt 2.7.9 keeps one list and refuses a
// SUBSCRIBE whose number a message to this client happens to bear, such as a
// retained one of the subscription before. That message has been written
// already; only its acknowledgement will find nothing.
func (*rules) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	cl.State.Inflight.Delete(pk.PacketID)
	return pk
}

// OnConnectAuthenticate lets in whom the TLS handshake has verified.
func (*rules) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	return clientName(cl) != ""
}

// OnACLCheck implements mqtt.Hook.
func (*rules) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	return may(clientName(cl), topic, write)
}

// clientName returns the CN of the client's verified certificate, "" without one.
func clientName(cl *mqtt.Client) string {
	if v, ok := cl.Net.Conn.(*visitor); ok {
		return v.name()
	}
	return ""
}

// commonName returns the CN that the handshake on c has verified.
func commonName(c *tls.Conn) string {
	chains := c.ConnectionState().VerifiedChains
	if len(chains) == 0 {
		return ""
	}
	return chains[0][0].Subject.CommonName
}
