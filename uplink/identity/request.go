package identity

import (
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sealcam/sealcam/uplink/seal"
)

// requestType is the PEM type of a Request.
const requestType = "SEALCAM CAMERA REQUEST"

// ErrRequest says that something is not a camera's request.
var ErrRequest = errors.New("not a camera's request: it is the text that sealcamd request prints, copy it whole")

// Request returns what a household needs to pair with this camera, as text to
// be carried to it: a hello that the camera signs, with its CertificateRequest
// inside. The firmware's version stands in it.
func (c *Camera) Request(firmware string) ([]byte, error) {
	csr, err := c.CertificateRequest()
	if err != nil {
		return nil, err
	}
	h := seal.Hello{Firmware: firmware, CSR: csr}
	if r := c.Roster(); r != nil {
		h.Household, h.Roster = r.Household, r.Version
	}
	hello, err := seal.SignHello(c.key, h)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: requestType, Bytes: hello}), nil
}

// ParseRequest reads a camera's Request and checks that the camera signed it.
// It proves nothing about which camera stands in front of you. The error is
// ErrRequest, or a *seal.Refusal.
func ParseRequest(text []byte) (*seal.Hello, error) {
	if len(text) > 2*seal.MaxHello {
		return nil, ErrRequest
	}
	der, err := onePEM(text, requestType)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrRequest, err)
	}
	h, err := seal.OpenHello(der)
	if err != nil {
		return nil, err
	}
	if len(h.CSR) == 0 {
		return nil, fmt.Errorf("%w (it asks for no certificate)", ErrRequest)
	}
	return h, nil
}
