// Package tuf says what may be installed on a camera, and brings it: the client
// of a repository of The Update Framework (https://theupdateframework.github.io/specification/,
// 1.0), which is a folder of static files that needs no trust.
//
// Four roles sign. The root says whose keys count, and is signed by the root
// before it; the targets say which files there are, for which cameras; the
// snapshot names the targets that belong together, the timestamp the newest
// snapshot. All end by themselves, so that an old repository cannot be shown for
// ever. [Client.Check] follows them and returns the newest release for this
// camera; [Client.Fetch] brings its file over any number of cuts and restarts.
//
// # Time
//
// A camera's clock may be wrong, and there may be none. What has ended is judged
// by Config.Now, but never by an earlier time than the last at which something
// still trusted says it was signed ([Issued]). So a camera with a good clock
// notices a frozen repository; one without still updates, and refuses what ended
// before the newest thing it has seen. A clock that runs ahead makes everything
// look ended for as long as it is wrong, and leaves nothing behind: the floor is
// raised by signatures alone, and falls with the keys that made them. A server's
// certificate that begins later than the clock says is taken as if its day had come.
//
// # Files
//
// Config.Dir holds tuf/ROLE.json, as they came, and download/ with the file that
// is being fetched: HASH.part, HASH.have (how much of it is durable) and, when it
// is whole, HASH. The file "wrong" says which target had a wrong hash.
//
// What this package does not do: make or sign a repository (package repo does),
// install anything, or refuse a release that is older than what runs (an
// [ota.Installer] knows that). It looks at delegations only where Limits say so;
// a camera refuses a repository that has any.
package tuf
