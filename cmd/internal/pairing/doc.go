// Package pairing makes a camera a household's by a code that the camera has
// read: a Session answers for the household, Ask asks for the camera.
//
// The household serves the exchange itself, on the local network, at the
// address in the code: no broker, cloud or clock is needed, and nobody stands
// between. The camera believes the authority whose hash is in the code; the
// household believes who knows the code's secret, once a person has confirmed
// it. SPEC.md, sections 16 and 17, has the bytes.
//
// A page or a command shows a code like this:
//
//	s, err := pairing.Start(pairing.Config{Household: h, Name: "Front door", Now: time.Now, Log: log})
//	code, err := qr.Encode(s.Text()) // draw code.PNG() or code.Terminal(...)
//	go func() { done <- s.Run(ctx) }()
//	for e := range s.Progress() {
//		if e.Kind == pairing.Read { s.Confirm(ask(e.Camera, e.Words)) }
//	}
//	err = <-done             // nil: the camera has said that it is the household's
//
// # What this package does not do
//
// It draws no code (cmd/internal/qr) and finds none in pictures
// (cmd/internal/lens), joins no wireless network, and judges no code: identity
// does. It keeps nothing: what lasts is in the household's directory and in the
// camera's.
package pairing
