package est

import (
	"encoding/asn1"
	"fmt"
)

// What a server may want in a request, and a camera cannot do.
var (
	oidChallengePassword = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}
	oidECPublicKey       = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidP256              = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidRSA               = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
)

// maxAttributes bounds how many are looked at.
const maxAttributes = 64

// checkAttributes reads a CsrAttrs (RFC 7030, 4.5.2), a sequence of object
// identifiers and attributes, and refuses what would make every request fail. What it
// does not know a server may want in vain: it then says so when it is asked.
func checkAttributes(der []byte) error {
	var all []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &all); err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: its attributes are not DER", ErrAnswer)
	}
	if len(all) > maxAttributes {
		return fmt.Errorf("%w: more than %d attributes", ErrAnswer, maxAttributes)
	}
	for _, a := range all {
		var oid asn1.ObjectIdentifier
		var attribute struct {
			Type   asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		if _, err := asn1.Unmarshal(a.FullBytes, &oid); err != nil {
			if _, err := asn1.Unmarshal(a.FullBytes, &attribute); err != nil {
				return fmt.Errorf("%w: an attribute is not DER", ErrAnswer)
			}
			oid = attribute.Type
		}
		switch {
		case oid.Equal(oidChallengePassword):
			return fmt.Errorf("%w: it wants requests that are bound to their connection (RFC 7030, 3.5), which TLS 1.3 has no means for", ErrUnsupported)
		case oid.Equal(oidRSA):
			return fmt.Errorf("%w: it wants RSA keys, and cameras have P-256", ErrUnsupported)
		case oid.Equal(oidECPublicKey) && !offers(attribute.Values, oidP256):
			return fmt.Errorf("%w: it wants keys of another curve, and cameras have P-256", ErrUnsupported)
		}
	}
	return nil
}

// offers says whether one of values is the object identifier, or there are none.
func offers(values []asn1.RawValue, want asn1.ObjectIdentifier) bool {
	for _, v := range values {
		var oid asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(v.FullBytes, &oid); err == nil && oid.Equal(want) {
			return true
		}
	}
	return len(values) == 0
}
