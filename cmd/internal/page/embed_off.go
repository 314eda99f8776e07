//go:build !embedwasm

package page

// embedded returns nil: this build carries no opener. Under go run that keeps
// the opener as new as the source, whatever an earlier make build left behind.
func embedded() *Module { return nil }
