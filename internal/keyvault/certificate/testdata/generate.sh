#!/usr/bin/env bash
# Makes the files in this folder with OpenSSL 3: certificates of an authority of their own, and their keys, in every form that is
# imported. The keys are for tests alone.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

req=(openssl req -x509 -days 36500 -sha256)
"${req[@]}" -newkey rsa:2048 -nodes -keyout "$work/ca.key" -out "$work/ca.pem" -subj "/C=US/O=Contoso/CN=Test authority"

sign=(-CA "$work/ca.pem" -CAkey "$work/ca.key"
  -addext "basicConstraints=CA:FALSE" -addext "keyUsage=critical,digitalSignature,keyEncipherment" -addext "extendedKeyUsage=serverAuth,1.2.3.4"
  -addext "subjectAltName=DNS:orders.example,email:orders@example.com,IP:10.0.0.1,URI:spiffe://example/orders,otherName:msUPN;UTF8:orders@contoso.com")
openssl genrsa -out "$work/rsa.key" 2048
openssl ecparam -name prime256v1 -genkey -out "$work/ec.key"
for kind in rsa ec; do
  "${req[@]}" -key "$work/$kind.key" -out "$work/$kind.crt" -subj "/C=US/O=Contoso, Inc./CN=orders" "${sign[@]}"
done

# PEM: the chain before the key and backwards, then the forms of keys.
openssl pkcs8 -topk8 -nocrypt -in "$work/rsa.key" | cat "$work/ca.pem" "$work/rsa.crt" - > rsa-pkcs8.pem
openssl rsa -traditional -in "$work/rsa.key" | cat - "$work/rsa.crt" > rsa-pkcs1.pem
cat "$work/ec.key" "$work/ec.crt" > ec-sec1.pem
openssl pkcs8 -topk8 -nocrypt -in "$work/ec.key" | cat "$work/ec.crt" - > ec-pkcs8.pem
openssl pkcs8 -topk8 -passout pass:secret -in "$work/rsa.key" | cat "$work/rsa.crt" - > rsa-encrypted.pem
openssl rsa -traditional -aes128 -passout pass:secret -in "$work/rsa.key" | cat "$work/rsa.crt" - > rsa-encrypted-pkcs1.pem

# A key that JSON Web Keys have no form for here.
openssl genrsa -traditional -primes 3 -out rsa-three-primes.key 2048

export=(openssl pkcs12 -export -certfile "$work/ca.pem")
rsa=(-inkey "$work/rsa.key" -in "$work/rsa.crt")
"${export[@]}" "${rsa[@]}" -passout pass:secret -out aes.pfx
"${export[@]}" "${rsa[@]}" -passout pass:secret -out 3des.pfx -descert -keypbe PBE-SHA1-3DES -macalg sha1
"${export[@]}" "${rsa[@]}" -passout pass:secret -out rc2.pfx -legacy
"${export[@]}" "${rsa[@]}" -passout pass: -out empty-password.pfx
"${export[@]}" -inkey "$work/ec.key" -in "$work/ec.crt" -passout pass:secret -out ec.pfx
openssl pkcs12 -export "${rsa[@]}" -passout pass:secret -iter 600001 -maciter -out iterations.pfx
openssl pkcs12 -export "${rsa[@]}" -passout pass:secret -iter 600001 -nomaciter -out iterations-of-encryption.pfx
openssl pkcs12 -export "${rsa[@]}" -passout pass: -nomac -out no-mac.pfx
openssl pkcs12 -export -nokeys -in "$work/rsa.crt" -passout pass:secret -out no-key.pfx
