// Package repo makes and signs repositories of releases, as package tuf follows
// them: the maker's side. It writes metadata by the library of the specification's
// own authors, and publishes nothing that this library or package tuf would refuse.
//
//	DIR/releases.json    what is to be published, and for how long each role signs
//	DIR/keys/NAME.key    private keys, for their owner's eyes only
//	DIR/public/metadata  what cameras read, static files
//	DIR/public/targets
//
// Keys are known by what they are; their files may be called anything, and lie in
// DIR/keys or in a second folder that is not always there, such as a card in a
// safe. That is for the keys of root and targets: they are needed for new releases
// and new keys alone. Those of snapshot and timestamp stay with whatever renews the
// repository every few days. Who steals these can hold cameras at what is
// published, and make none install anything.
//
// What this package does not do: delegate, or keep two people from publishing at
// the same time.
package repo
