// Package daynight decides in which light a camera sees, and acts on it: it
// owns the infrared lamp and the infrared cut filter.
//
// The hard part is that the lamp lights the very picture that the decision is
// made on. Asked "is it bright?", a picture lit by its own lamp says yes, the
// lamp goes off, the picture is dark, the lamp goes on: cameras click all
// night. So the Controller never believes a lit picture. By day, with the lamp
// off and the filter closed, dark means dark. By night a lit picture gives
// hints at most; the answer comes from a probe, a second or two with the lamp
// off. What a probe finds is then tried out silently, with the filter still
// open and the lamp off, for as long as the light would take to prove that it
// stays; only then does the filter click, and the day picture has to confirm.
//
//	start --> day --dark--> opening --> lighting --> night (lit)
//	           ^                          ^  ^         | hint, or time for a look
//	           |                          |  +--dark-- probe
//	           +-- verify <-- unlit <-----|------------+ bright
//	                  +--------+--dark----+
//
// From a decision until exposure has settled the light is
// capture.LightSwitching; capture/motion holds its verdict meanwhile.
//
// # Light without units
//
// Cameras differ in everything but one number: how bright this scene would be
// in the picture at the camera's longest exposure and highest gain. Below a few
// per cent of full scale no picture is left in the noise. All thresholds are
// shares of that. Where the driver tells exposure and gain the number is
// measured at any moment; where it does not, only once automatic exposure
// has nothing left to give, which is the moment that matters.
//
// # How the agent uses it
//
//	act := &daynight.Actuator{Filter: filter, Lamp: lamp}  // from the board; both may be nil
//	part, err := daynight.NewPart(daynight.PartConfig{
//		Controller: config, Actuator: act, Ambient: ambient, Exposure: exposure, Log: log,
//	})
//	defer part.Close()                     // lamp off, pins parked
//	err = loop.Run(ctx, func(f *capture.Frame) error {
//		luma, err := reader.Read(f)
//		...
//		f.Light = part.Step(f.Mono, time.Now(), luma)
//		verdict := detector.Observe(luma, f.Mono, f.Light)
//
// and part.Lost() whenever the camera is opened (again), from the same
// goroutine, so that no lamp burns for nobody. A camera without pins has a nil
// Actuator: day and night are then told by the picture alone.
//
// What this package does not do: it opens no pin, bus or device (a command
// does, through cmd/internal/pins), knows no board (boards does), detects no
// movement (capture/motion), starts no goroutine and reads no clock.
package daynight
