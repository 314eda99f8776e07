//go:build js && wasm

// Command wasm is the opener for browsers: uplink/seal behind a few functions
// that JavaScript can call, on the global object sealcam. It runs inside a
// worker, so that opening never makes the page stutter.
//
//	init({household, secret, roster, state, now})   secret, household: text; roster: Uint8Array;
//	                                                state: Uint8Array or null; now: () => milliseconds since 1970
//	                                                -> {} or {error} or a refusal
//	household()            -> {id, version, cameras: [{id, name}], viewers: [name], revoked: [id]}
//	roster(bytes)          takes a newer roster -> {} or a refusal
//	open(camera, bytes)    -> a verdict; camera is the id that the screen is about
//	check(camera, bytes)   -> the same, without history
//	ask(camera)            -> {command} "show me now"; or {error}
//	watch(camera)          -> {command} "show me live", to be said again every 5 s; or {error}
//	resend(camera, a, b)   -> {command}
//	receipt(camera)        -> {command}; or {} when nothing has arrived
//	gaps(camera)           -> [{first, last, after, before, lost}], times in milliseconds, 0 for unknown
//	state()                -> Uint8Array, to be kept and handed to the next init
//	prove(proof, media)    checks published media without any key and before any init
//	                       -> {verdict: "proven", camera, household, hash, meta, media} or a refusal;
//	                       of a clip {verdict: "proven", words, whole, sound, faults, parts}, where
//	                       parts are such verdicts with a film, in the order in which they stand in it
//
// A verdict is {verdict: "verified", camera, fresh, late, ahead, behind, hash,
// meta, media, proof, film} or the refusal {verdict: "refused", reason, person,
// detail, duplicate, alarm, seq}. media exists nowhere but in a verified or
// proven verdict. film is null but for a part of a clip or of live view: {codec, stills, width,
// height, head, format, start, end, frames}, or {error} for one that is verified
// and cannot be looked into; frames holds three numbers a frame: its time in the
// clip in seconds, where it begins in media, and its bytes. seq is where a
// message with a changed body belonged, 0 if that is not known.
//
// What this command does not do: it fetches nothing, keeps nothing, draws
// nothing, and reads no clock but the one it was given.
package main

import (
	"syscall/js"
)

func main() {
	s := new(session)
	api := map[string]any{}
	for name, f := range map[string]func([]js.Value) any{
		"init": s.init, "household": s.household, "roster": s.roster, "open": s.open, "check": s.check,
		"ask": s.ask, "watch": s.watch, "resend": s.resend, "receipt": s.receipt, "gaps": s.gaps, "state": s.state, "prove": prove,
	} {
		api[name] = js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) })
	}
	js.Global().Set("sealcam", api)
	select {}
}
