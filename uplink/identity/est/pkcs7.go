package est

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
)

// Bounds of what a server may give.
const (
	maxCerts = 16
	maxCert  = 16 << 10 // bytes
	maxRSA   = 8192     // bits of a key: checking a signature by a larger one takes seconds
	maxDepth = 32       // of elements without a length, within each other
)

// errDER is the reason for everything that is not well formed.
var errDER = errors.New("not a certs-only PKCS #7 message")

// Tags of ASN.1, and the two object identifiers that a message has.
const (
	tagInteger = 0x02
	tagOID     = 0x06
	tagSeq     = 0x30
	tagSet     = 0x31
	tagFirst   = 0xa0 // [0], constructed
)

var (
	oidSignedData = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}
	oidData       = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}
)

// certsOnly returns the certificates of a PKCS #7 message that carries nothing else
// (RFC 5652, 5; RFC 5272, 4.1); what may follow them is passed over:
//
//	ContentInfo { signedData, [0] SignedData { version, digests, { data }, [0] certificates, ... } }
//
// The frame may be BER, with lengths that are found at the end (some PKIs write it
// so); certificates are DER. Parsing in general is left out on purpose: this is the
// one place where bytes from the network meet ASN.1 that the standard library does
// not read.
func certsOnly(b []byte) ([]*x509.Certificate, error) {
	info := scanner{rest: b}
	message := scanner{rest: info.want(tagSeq)}
	if !bytes.Equal(message.want(tagOID), oidSignedData) {
		return nil, errDER
	}
	explicit := scanner{rest: message.want(tagFirst)}
	signed := scanner{rest: explicit.want(tagSeq)}
	signed.want(tagInteger)
	signed.want(tagSet)
	content := scanner{rest: signed.want(tagSeq)}
	if !bytes.Equal(content.want(tagOID), oidData) {
		return nil, errDER
	}
	list := scanner{rest: signed.want(tagFirst)}
	if info.bad || message.bad || explicit.bad || signed.bad || content.bad || len(info.rest) > 0 {
		return nil, errDER
	}
	return certificates(&list)
}

func certificates(list *scanner) (certs []*x509.Certificate, err error) {
	for len(list.rest) > 0 {
		if len(certs) == maxCerts {
			return nil, fmt.Errorf("more than %d certificates", maxCerts)
		}
		before := list.rest
		list.want(tagSeq)
		if list.bad {
			return nil, errDER
		}
		der := before[:len(before)-len(list.rest)]
		if len(der) > maxCert {
			return nil, fmt.Errorf("a certificate of %d bytes, at most %d", len(der), maxCert)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		if err := bounded(cert); err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return certs, nil
}

// bounded refuses a certificate whose key is a trap for who checks signatures.
func bounded(c *x509.Certificate) error {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
		return fmt.Errorf("an RSA key of %d bits, at most %d", key.N.BitLen(), maxRSA)
	}
	return nil
}

// scanner reads elements of BER, one behind the other. The first that is not
// what was wanted makes it bad, for good.
type scanner struct {
	rest []byte
	bad  bool
}

// want returns the content of the next element, which must have the tag.
func (s *scanner) want(tag byte) []byte {
	if !s.bad && len(s.rest) > 0 && s.rest[0] == tag {
		if content, rest, ok := element(s.rest, 0); ok {
			s.rest = rest
			return content
		}
	}
	s.bad = true
	return nil
}

// element splits b behind its first element. What it returns are parts of b.
func element(b []byte, depth int) (content, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f || depth > maxDepth { // no tags of several bytes
		return nil, nil, false
	}
	n, body := int(b[1]), b[2:]
	if n == 0x80 { // constructed, up to two zeros
		if b[0]&0x20 == 0 {
			return nil, nil, false
		}
		for at := body; ; {
			if len(at) >= 2 && at[0] == 0 && at[1] == 0 {
				return body[:len(body)-len(at)], at[2:], true
			}
			if _, at, ok = element(at, depth+1); !ok {
				return nil, nil, false
			}
		}
	}
	if n > 0x80 {
		size := n - 0x80
		if size > 3 || len(body) < size {
			return nil, nil, false
		}
		n = 0
		for _, x := range body[:size] {
			n = n<<8 | int(x)
		}
		body = body[size:]
	}
	if n > len(body) {
		return nil, nil, false
	}
	return body[:n], body[n:], true
}
