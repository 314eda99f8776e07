//go:build embedwasm

package page

import _ "embed"

// Made by make wasm: go run ./cmd/internal/page/wasmbuild.
var (
	//go:embed assets/seal.wasm.gz
	embeddedWasm []byte
	//go:embed assets/wasm_exec.js
	embeddedGlue []byte
)

// embedded returns the opener that this program was built with.
func embedded() *Module { return &Module{Wasm: embeddedWasm, Glue: embeddedGlue} }
