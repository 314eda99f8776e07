package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// The reasons for which there is no connection. Every error of Dial and of
// Conn.Err is an *Error that holds one of them.
var (
	ErrUnreachable = errors.New("unreachable")
	ErrWrongName   = errors.New("certificate is for another name")
	ErrExpired     = errors.New("certificate has expired")
	ErrNotYetValid = errors.New("certificate is not valid yet")
	ErrUnknownCA   = errors.New("certificate is signed by an unknown authority")
	ErrRefused     = errors.New("refuses this client")
	ErrUnavailable = errors.New("is not ready")
	ErrProtocol    = errors.New("does not keep to the protocol")
	ErrLost        = errors.New("connection lost")
	ErrClosed      = errors.New("connection closed")
)

// Error says why there is no connection to a broker.
type Error struct {
	Reason error  // one of the reasons above
	Broker string // host:port
	Err    error  // what was seen; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("broker %s: %v", e.Broker, e.Reason)
	}
	return fmt.Sprintf("broker %s: %v: %v", e.Broker, e.Reason, e.Err)
}

// Unwrap lets errors.Is find the reason, and errors.As the cause.
func (e *Error) Unwrap() []error { return []error{e.Reason, e.Err} }

// Hint tells a person what to do about it.
func (e *Error) Hint() string {
	host, _, _ := net.SplitHostPort(e.Broker)
	var dns *net.DNSError
	switch {
	case errors.Is(e.Reason, ErrUnreachable) && errors.As(e.Err, &dns):
		return "check the broker's name and this network's name server"
	case errors.Is(e.Reason, ErrUnreachable) && errors.Is(e.Err, syscall.ECONNREFUSED):
		return "nothing listens at " + e.Broker + ": start the broker, or correct its port"
	case errors.Is(e.Reason, ErrUnreachable):
		return "check the network, the broker's address and its firewall"
	case errors.Is(e.Reason, ErrWrongName):
		return "issue the broker a certificate that names " + host + ", or connect to it by a name that its certificate has"
	case errors.Is(e.Reason, ErrExpired):
		return "renew the broker's certificate, and check this machine's clock"
	case errors.Is(e.Reason, ErrNotYetValid):
		return "check this machine's clock"
	case errors.Is(e.Reason, ErrUnknownCA):
		return "give this client the authority that signed the broker's certificate, or check that it is the right broker"
	case errors.Is(e.Err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(e.Err, packets.ErrorRefusedNotAuthorised):
		return "check the user name and password, and that the broker's rules let this client in; the broker's log says which it is"
	case errors.Is(e.Reason, ErrRefused):
		return "the broker must trust the authority that signed this client's certificate, and allow its name; the broker's log says which is missing"
	case errors.Is(e.Reason, ErrUnavailable):
		return "the broker is up and takes no clients now; it is tried again"
	case errors.Is(e.Reason, ErrProtocol):
		return "check that " + e.Broker + " is an MQTT 3.1.1 broker with TLS 1.3"
	}
	return "it is tried again"
}

// explain turns what a failed Dial saw into an *Error. open is the error of
// opening the connection, wire the first that the open connection gave, and
// mqtt what paho made of it; nil where there was none.
func explain(broker string, open, wire, mqtt error) *Error {
	e := &Error{Broker: broker}
	switch {
	case open != nil:
		e.Reason, e.Err = opening(open), open
	case errors.Is(wire, ErrProtocol):
		e.Reason, e.Err = ErrProtocol, detail(wire)
	case wire != nil:
		e.Reason, e.Err = answering(wire), wire
	default:
		e.Reason, e.Err = connack(mqtt), mqtt
	}
	return e
}

// opening finds the reason in an error of name look-up, TCP or TLS.
func opening(err error) error {
	var (
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		op      *net.OpError
	)
	switch {
	case errors.As(err, &name):
		return ErrWrongName
	case errors.As(err, &unknown):
		return ErrUnknownCA
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if notYet(invalid) {
			return ErrNotYetValid
		}
		return ErrExpired
	case errors.As(err, &invalid):
		return ErrUnknownCA
	case errors.As(err, &record), strings.Contains(err.Error(), "protocol version"):
		return ErrProtocol
	case errors.As(err, &op) && op.Op == "remote error":
		return ErrRefused
	}
	return ErrUnreachable
}

// notYet tells a certificate of the future from one of the past; x509 has one
// reason for both.
func notYet(invalid x509.CertificateInvalidError) bool {
	return strings.Contains(invalid.Detail, "is before")
}

// answering finds the reason in an error between the TLS handshake and the
// broker's CONNACK. In TLS 1.3 this is where a broker's refusal of the client
// certificate arrives, as an alert or, when it lost the race, as a reset.
func answering(err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "remote error",
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrRefused
	}
	return ErrUnreachable
}

func connack(err error) error {
	switch {
	case errors.Is(err, packets.ErrorRefusedIDRejected),
		errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword),
		errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return ErrRefused
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return ErrUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return ErrUnreachable
	}
	return ErrProtocol
}

// lost names the end of a connection that was up.
func lost(broker string, err error) *Error {
	if errors.Is(err, ErrProtocol) {
		return &Error{Reason: ErrProtocol, Broker: broker, Err: detail(err)}
	}
	return &Error{Reason: ErrLost, Broker: broker, Err: err}
}

// violation is a breach of protocol found on the wire.
type violation struct{ what string }

func (v *violation) Error() string   { return v.what }
func (v *violation) Is(t error) bool { return t == ErrProtocol }

// detail returns the violation within err, so that its reason is said once.
func detail(err error) error {
	var v *violation
	if errors.As(err, &v) {
		return v
	}
	return err
}
