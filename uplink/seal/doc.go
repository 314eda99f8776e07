// Package seal is THE FORMAT: it turns what a camera has to say into one
// signed and encrypted message, and such a message back into a *Verified or a
// *Refusal. SPEC.md beside this file is the authority on the bytes, THREATS.md
// on what they protect from.
//
// The two directions meet in these types:
//
//   - camera: a Sealer makes Sealed messages; a Guard accepts commands;
//     SignHello introduces a camera that nobody has claimed.
//   - viewer: an Opener opens Sealed messages and remembers what it has seen of
//     each camera; Ask, Resend and Receipt make commands.
//   - household: SignRoster and OpenRoster; the Roster says whose cameras and
//     whose viewers, with which Roles, and whose keepers.
//   - keeper: OpenPass says who may read lists, OpenDeletion what is to go;
//     SignDeleted answers.
//   - fleet: SignSettings and OpenSettings carry what cameras are to be set to.
//   - anybody: Peek reads what a message shows to everybody; CheckProof checks
//     a Picture that somebody published, without any key.
//
// Everything handed to an Open, Parse or Accept function is hostile until it
// returns without error; sizes are bounded by the Max constants, and of every
// message there is exactly one valid encoding.
//
// # What this package does not do
//
// It stores nothing, sends nothing, starts nothing, and reads no clock of its
// own. It does not say that a Picture is true: a seal proves which key sealed
// which bytes, in which order, for whom; a camera that is shown a photograph
// seals the photograph. It does not hide that, when, and how much a camera
// sends. It does not decode media.
package seal

// Bounds. A message beyond one of them is Malformed, or cannot be sealed.
const (
	Version = 1 // of the format, in every signed message

	MaxSealed  = 8 << 20   // bytes of one sealed message, all in
	MaxRoster  = 256 << 10 // bytes of a signed roster
	MaxCommand = 4 << 10   // bytes of a signed command
	MaxHello   = 8 << 10   // bytes of a signed hello
	MaxProof   = 12 << 10  // bytes of a proof
	MaxPass    = 1 << 10   // bytes of a signed pass
	MaxState   = 8 << 20   // bytes of an Opener's state

	MaxViewers = 64  // viewers of a roster
	MaxCameras = 256 // cameras of a roster, and again as many revoked
	MaxGrants  = 8   // owner keys besides the founding one
	MaxKeepers = 8   // keepers of a roster

	MaxAdditions = 64 // operators' additions to one roster

	MaxGroups = 16  // groups that a camera is in
	MaxURL    = 256 // bytes of a keeper's URL
	MaxName   = 64  // bytes of a name or a token
	MaxLabels = 32  // labels of a message
	MaxGaps   = 64  // gaps remembered per camera; ranges in a command or message
	MaxNonce  = 32  // bytes of a nonce; MinNonce is the least
	MinNonce  = 16
	MaxCSR    = 4 << 10 // bytes of a certificate request in a hello

	MaxSettings = 64 << 10 // bytes of the body of settings; signed, 1 KiB more

	// MaxSeq is the largest sequence number, version or counter: the largest
	// integer that every JSON and JavaScript reader keeps exactly.
	MaxSeq = 1<<53 - 1
)
