package guest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"sync"
)

//go:embed probe.sh
var script string

// Script returns the probe: the same bytes for every machine.
func Script() []byte { return []byte(script) }

// ScriptDigest returns the SHA-256 of Script in lower-case hexadecimal.
func ScriptDigest() string { return scriptDigest() }

var scriptDigest = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(script))
	return hex.EncodeToString(sum[:])
})

// Command returns the command line that runs the probe. It is constant, has the
// same meaning to every login shell (sh, bash, csh, fish), and takes what it runs
// from standard input: arguments are open to every user of a machine.
func Command() string {
	return `exec sh -c 'IFS= read -r vmdrift_hello; vmdrift_script=$(cat); eval "$vmdrift_script"' vmdrift`
}

// InstallPath is where a machine carries the probe in the pinned mode.
const InstallPath = "/usr/local/libexec/vmdrift-probe"

// AuthorizedKey returns the line for the scanning user's authorized_keys that lets
// the holder of publicKey (one line as in a .pub file) run the installed probe and nothing else.
func AuthorizedKey(publicKey string) string {
	return fmt.Sprintf(`command="%s",restrict %s`, InstallPath, publicKey)
}

// Sudoers returns the line for sudoers that lets user run the installed probe,
// exactly these bytes of it, as root and without a password.
func Sudoers(user string) string {
	return fmt.Sprintf(`%s ALL=(root) NOPASSWD: sha256:%s %s ""`, user, ScriptDigest(), InstallPath)
}
