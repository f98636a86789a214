#!/bin/sh
# Makes the certificates of the scripted relay: an authority, and two servers that it
# vouches for. They are valid from 2000 to 2125 and for tests only: the keys are public.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# Nobody needs to be vouched for again, so the authority's key is not kept.
key "$scratch/ca-key.pem"
openssl req -x509 -new -key "$scratch/ca-key.pem" -days 36500 -subj "/CN=landmarc test authority" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -out ca.pem

touch "$scratch/index"
cat >"$scratch/ca.conf" <<END
[ca]
default_ca = authority
[authority]
database = $scratch/index
new_certs_dir = $scratch
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
END

# server NAME SUBJECT-ALTERNATIVE-NAMES
server() {
  key "$1-key.pem"
  chmod 644 "$1-key.pem"
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\n' "$2" >"$scratch/extensions"
  openssl req -new -key "$1-key.pem" -subj "/CN=$1" -out "$scratch/request"
  openssl ca -batch -notext -config "$scratch/ca.conf" -cert ca.pem -keyfile "$scratch/ca-key.pem" \
    -startdate 20000101000000Z -enddate 21251231235959Z -extfile "$scratch/extensions" \
    -in "$scratch/request" -out "$1.pem"
}
server good "DNS:localhost,DNS:relay.example,IP:127.0.0.1,IP:::1"
server other "DNS:other.example"
