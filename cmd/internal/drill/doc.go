// Package drill is the proof by trial of what sealcam exists for: that nobody is
// shown a stranger's picture. True cameras of several households seal their
// days; a hostile relay and a hostile cache stand between them and many viewers,
// and try everything in which real cloud cameras have failed. Whatever a viewer
// shows is compared with what the cameras sealed.
//
// # The truth
//
// The drill remembers which bytes which camera sealed for whom (message), beside
// the code under test. A viewer shows a picture wrongly when what it was given is
// not exactly what the camera of that screen sealed for that household, when the
// camera was no longer the household's, when it was shown before as it is shown
// now, when it is live and past its expiry, or older than a live picture that was
// shown. Of a clip, whose parts are shown one by one, the film that a viewer makes
// of them must be these parts in their order, and it must say which are missing: a
// film of other parts, or a clip that is called whole and is not, is shown wrongly
// too. Nothing of this is asked of a viewer or of uplink/seal.
//
// The other half is as important: a viewer that refuses everything shows nothing
// wrongly. Every authentic message must be shown, or be accounted for: a live
// picture that arrived late or after a newer one, a durable message that was
// withheld and that the viewer knows to be missing.
//
// # The days
//
// The clock is virtual: 36 hours pass in each session, with events, live
// pictures, clips, restarts, messages that a camera loses and confesses, a camera that
// is reset and comes back as a new one, and a roster that follows. A session is
// one viewer's; it reconnects, now and then without its memory. All that happens
// follows from the seed, on any number of cores; only ciphertexts and signatures
// differ from run to run.
//
// # The keeper
//
// Then viewers that slept for half a day read from a keeper what they had missed, as
// all of sealcam's viewers do (package feed), and each of them from one that tells a
// lie of its own: bytes swapped between hashes, changed, cut off or of another
// household, messages withheld, left out of lists, listed twice, in another order,
// under another number or among another's, stale lists, heads that are too low or too
// high, and what was said to be deleted. The same is asked: nothing shown wrongly, and
// every authentic message shown, or known to be missing once the cameras go on.
//
// # Viewers of others
//
// A program that is started with --viewer exec:CMD takes the place of the viewer.
// It reads one request per line from standard input and answers each with one
// line on standard output. Fields are separated by one space; bytes are base64
// (standard alphabet, padded), times microseconds since 1970.
//
//	sealcam-drill 1
//	    the first request. Answer: sealcam-drill 1, or sealcam-drill 1 clips from a
//	    program that joins the parts of clips to films
//	begin HOUSEHOLD SECRET ROSTER
//	    forget all before: this is now a viewer of the household HOUSEHOLD (an
//	    id), with the viewer key SECRET (uplink/seal/SPEC.md section 6), that
//	    was given the signed roster ROSTER. Answer: ok
//	roster ROSTER
//	    a newer roster arrives. Answer: ok, or refused REASON
//	open NOW CAMERA SEALED
//	    SEALED, which may be empty, arrives at the time NOW for the screen that
//	    is about CAMERA.
//	    Answer, if a person is shown it as new: shown CAMERA STREAM SEQ MEDIA,
//	    with the camera that it is shown for, the stream (durable, live, will),
//	    the number, and the media, "-" if empty. Else: refused REASON, where
//	    REASON is a word of the viewer's own, with "_" for spaces.
//	reconnect
//	    the connection was lost and is back. What was seen is still known.
//	    Answer: ok
//	forget
//	    the viewer was installed anew: same key, same roster, but nothing that
//	    it saw is known any more. Answer: ok
//	gaps CAMERA
//	    which durable messages of CAMERA are known to be missing? Answer: gaps
//	    FIRST-LAST ..., or gaps alone.
//	clip CAMERA BOOT EVENT
//	    asked only of a program that joins clips: what does it show of the clip of
//	    that event (counted by the camera since its boot, whose id BOOT is, hex)?
//	    Answer: clip whole MISSING FILM if it says that all parts are there, else
//	    clip partial MISSING FILM. MISSING are the numbers, from 0, of the parts
//	    that it says are missing before the last that came, with commas, or "-";
//	    FILM is what it would play (what its first part begins with, ftyp and
//	    moov, and of each part moof and mdat), "-" if it knows no part.
//
// At the end standard input is closed, and the program has to end. An answer that
// takes more than 30 seconds, or is none of these, ends the drill.
//
// # What this package does not do
//
// It proves nothing about what it does not try, and nothing about a camera's own
// software, a stolen viewer key, or a camera's key in other hands before its
// owner has noticed: a clone that a viewer meets before it meets the camera's own
// messages of the same numbers is that camera, for that viewer. uplink/seal's
// THREATS.md says what is not promised.
package drill
