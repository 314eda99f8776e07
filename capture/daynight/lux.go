package daynight

import (
	"fmt"
	"math"

	"periph.io/x/conn/v3/i2c"
)

// The light sensors that sit on an I2C bus without a kernel driver. Each is set
// to measure continuously, in a range that resolves dusk (a tenth of a lux to
// some thousand); above that it saturates and reads its highest value, which is
// as good as any: it is day. All return lux.

// i2cSensor is the part that they share. Its buffers are its own, so that what
// the bus driver hands to the kernel by address never lies on a stack.
type i2cSensor struct {
	dev i2c.Dev
	w   []byte
	r   []byte
}

func newSensor(bus i2c.Bus, addr uint16) *i2cSensor {
	return &i2cSensor{dev: i2c.Dev{Bus: bus, Addr: addr}, w: make([]byte, 3), r: make([]byte, 4)}
}

// send writes bytes.
func (s *i2cSensor) send(b ...byte) error {
	return s.dev.Tx(s.w[:copy(s.w, b)], nil)
}

// read writes one byte, usually a register's number, and reads n.
func (s *i2cSensor) read(register byte, n int) ([]byte, error) {
	s.w[0] = register
	return s.r[:n], s.dev.Tx(s.w[:1], s.r[:n])
}

func little(b []byte) float64 { return float64(uint16(b[0]) | uint16(b[1])<<8) }
func big(b []byte) float64    { return float64(uint16(b[1]) | uint16(b[0])<<8) }

func failed(part string, addr uint16, err error) error {
	return fmt.Errorf("%s at address %#02x does not answer: %w", part, addr, err)
}

// BH1750 is ROHM's sensor, at address 0x23 or 0x5c.
type BH1750 struct{ s *i2cSensor }

// NewBH1750 switches the sensor on, to continuous measurement in steps of 0.5 lx
// (H-resolution mode 2, 120 ms; BH1750FVI data sheet).
func NewBH1750(bus i2c.Bus, addr uint16) (*BH1750, error) {
	s := newSensor(bus, addr)
	for _, opcode := range []byte{0x01, 0x11} {
		if err := s.send(opcode); err != nil {
			return nil, failed("BH1750", addr, err)
		}
	}
	return &BH1750{s}, nil
}

// Read returns lux.
func (b *BH1750) Read() (float64, error) {
	r := b.s.r[:2]
	if err := b.s.dev.Tx(nil, r); err != nil {
		return 0, failed("BH1750", b.s.dev.Addr, err)
	}
	return big(r) / 1.2 / 2, nil
}

// TSL2561 is TAOS' sensor in its T, FN or CL package, at address 0x29, 0x39 or
// 0x49.
type TSL2561 struct{ s *i2cSensor }

// NewTSL2561 switches the sensor on, at 402 ms and gain 16.
func NewTSL2561(bus i2c.Bus, addr uint16) (*TSL2561, error) {
	s := newSensor(bus, addr)
	if err := s.send(0x80, 0x03); err != nil { // control: power up
		return nil, failed("TSL2561", addr, err)
	}
	if err := s.send(0x81, 0x12); err != nil { // timing: gain 16, 402 ms
		return nil, failed("TSL2561", addr, err)
	}
	return &TSL2561{s}, nil
}

// Read returns lux, by the data sheet's formula from the visible and the
// infrared channel.
func (t *TSL2561) Read() (float64, error) {
	r, err := t.s.read(0x9c, 4) // command, block protocol, from DATA0LOW on
	if err != nil {
		return 0, failed("TSL2561", t.s.dev.Addr, err)
	}
	all, infrared := little(r), little(r[2:])
	if all == 0 {
		return 0, nil
	}
	if all == 0xffff { // saturated: infrared may be too, and their ratio would mean nothing
		return all * 0.0304, nil
	}
	ratio := infrared / all
	switch {
	case ratio <= 0.50:
		return all * (0.0304 - 0.062*math.Pow(ratio, 1.4)), nil
	case ratio <= 0.61:
		return 0.0224*all - 0.031*infrared, nil
	case ratio <= 0.80:
		return 0.0128*all - 0.0153*infrared, nil
	case ratio <= 1.30:
		return max(0, 0.00146*all-0.00112*infrared), nil
	}
	return 0, nil
}

// TSL2591 is ams' sensor, at address 0x29.
type TSL2591 struct{ s *i2cSensor }

const (
	tsl2591Command = 0xa0
	tsl2591ID      = 0x50
	tsl2591Counts  = 300 * 25 / 408.0 // per lux, at 300 ms and gain 25 (medium)
)

// NewTSL2591 checks the sensor's identity and switches it on, at 300 ms and
// medium gain.
func NewTSL2591(bus i2c.Bus, addr uint16) (*TSL2591, error) {
	s := newSensor(bus, addr)
	id, err := s.read(tsl2591Command|0x12, 1)
	if err != nil {
		return nil, failed("TSL2591", addr, err)
	}
	if id[0] != tsl2591ID {
		return nil, fmt.Errorf("the part at address %#02x is no TSL2591: it says %#02x, expected %#02x", addr, id[0], tsl2591ID)
	}
	if err := s.send(tsl2591Command|0x01, 0x12); err != nil { // control: medium gain, 300 ms
		return nil, failed("TSL2591", addr, err)
	}
	if err := s.send(tsl2591Command, 0x03); err != nil { // enable: power and measurement
		return nil, failed("TSL2591", addr, err)
	}
	return &TSL2591{s}, nil
}

// Read returns lux. Saturated channels, which differ in nothing any more, read
// as the highest value.
func (t *TSL2591) Read() (float64, error) {
	r, err := t.s.read(tsl2591Command|0x14, 4)
	if err != nil {
		return 0, failed("TSL2591", t.s.dev.Addr, err)
	}
	all, infrared := little(r), little(r[2:])
	switch {
	case all == 0:
		return 0, nil
	case all == 0xffff:
		return all / tsl2591Counts, nil
	}
	return max(0, (all-infrared)*(1-infrared/all)/tsl2591Counts), nil
}

// VEML7700 is Vishay's sensor, at address 0x10.
type VEML7700 struct{ s *i2cSensor }

// NewVEML7700 switches the sensor on, at gain 1 and 100 ms.
func NewVEML7700(bus i2c.Bus, addr uint16) (*VEML7700, error) {
	s := newSensor(bus, addr)
	if err := s.send(0x00, 0x00, 0x00); err != nil { // ALS_CONF: gain 1, 100 ms, on
		return nil, failed("VEML7700", addr, err)
	}
	return &VEML7700{s}, nil
}

// Read returns lux, at 0.0672 lx a count: the 0.0042 lx of gain 2 and 800 ms
// times 16 (data sheet revision 1.8; older ones say 0.0036).
func (v *VEML7700) Read() (float64, error) {
	r, err := v.s.read(0x04, 2)
	if err != nil {
		return 0, failed("VEML7700", v.s.dev.Addr, err)
	}
	return little(r) * 0.0672, nil
}
