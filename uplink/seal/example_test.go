package seal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// A household, a camera and a viewer: from media to a screen.
func Example() {
	owner, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	camera, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	phone, _ := seal.NewViewerKey(nil)

	// The owner says whose cameras and whose viewers.
	home, _ := seal.HouseholdIDOf(owner.Public())
	door, _ := seal.CameraIDOf(camera.Public())
	viewer := phone.Public()
	viewer.Name = "phone"
	signed, err := seal.SignRoster(owner, seal.Roster{
		Version: 1,
		Cameras: []seal.RosterCamera{{ID: door, Name: "Front door"}},
		Viewers: []seal.Viewer{viewer},
	})
	if err != nil {
		log.Fatal(err)
	}
	roster, err := seal.OpenRoster(home, signed)
	if err != nil {
		log.Fatal(err)
	}

	// The camera seals.
	sealer, err := seal.NewSealer(seal.SealerConfig{Key: camera, Roster: roster, Boot: [16]byte{1}, Firmware: "1.0.0"})
	if err != nil {
		log.Fatal(err)
	}
	message, err := sealer.Seal(seal.Meta{
		Stream: seal.Durable, Seq: 1, Kind: seal.KindSnapshot, Media: "image/jpeg",
		Taken: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Clock: seal.ClockNTP, Cause: "motion",
	}, []byte("a JPEG"))
	if err != nil {
		log.Fatal(err)
	}

	// The viewer opens, for a screen that is about one camera.
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: home, Roster: roster, Key: phone, Now: time.Now})
	if err != nil {
		log.Fatal(err)
	}
	verified, err := opener.Open(door, message.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	of, media := verified.Media()
	fmt.Printf("%s, of the front door: %v\n", media, of == door)

	// On any other screen it is refused.
	garden := seal.CameraID("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	_, err = opener.Open(garden, message.Bytes)
	var refusal *seal.Refusal
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Reason.Person())
	}
	// Output:
	// a JPEG, of the front door: true
	// This picture is from another camera
}

// A question that only the camera can answer now, clock or no clock.
func ExampleOpener_Ask() {
	var (
		opener *seal.Opener
		door   seal.CameraID
		send   func(command []byte)
		answer []byte // what the camera sealed with the nonce
	)
	ask := func() {
		command, _, err := opener.Ask(door)
		if err != nil {
			log.Fatal(err)
		}
		send(command)
		verified, err := opener.Open(door, answer)
		if err == nil && verified.Fresh() {
			fmt.Println("live")
		}
	}
	_ = ask
}
