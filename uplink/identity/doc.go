// Package identity keeps who somebody is, in files: a Camera knows its key,
// whose it is, and which commands it has taken; a Household knows its owner
// key, its certificate authority, its cameras and its viewers; a Viewer is what
// one phone, screen or service needs to look; a Keeper is what stores for it.
//
// A camera joins by a Request, which it signs, and a Pairing, which the
// household answers with. Both are small files, so that a bench, a
// device without a lens to spare, or a message over any channel can carry them.
// Or it reads a Code, which a household shows to its lens, and the two travel
// over a connection that the code vouches for (cmd/internal/pairing).
//
// The owner key can be replaced (RotateOwner), and a second one kept elsewhere
// (CreateRecovery). A household moves by Export and ImportHousehold. Backups are
// encrypted under a code; the directory itself is not.
//
// Files are replaced whole and durably: after a power cut there is the old or
// the new one, never half of one. Secrets are readable by their owner only,
// or they are refused.
//
// # What this package does not do
//
// It seals and opens nothing (seal does), talks to no network, and neither
// draws a code nor finds one in pictures. It does not encrypt secrets at rest:
// whoever can read the files as their owner, or the bare flash, has the keys. It
// does not make a stolen camera harmless; removing it from the roster does.
// Certificates open brokers and prove nothing about pictures.
package identity
