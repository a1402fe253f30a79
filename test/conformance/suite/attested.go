package suite

import (
	"fmt"
	"time"
)

// attestedCases returns the cases about attested documents: requests and contents.
func attestedCases() []Case {
	in := func(version string) request { return get(attestedPath + "?api-version=" + version) }
	withNonce := func(nonce string) request { return get(anAttestation + "&nonce=" + nonce) }
	const longest = "abcdefghijklmnopqrstuvwxyz012345"
	return []Case{
		ask("attested/document", get(anAttestation), success(object("", "encoding", "signature"), value("encoding", "pkcs7"), allStrings)),
		ask("attested/document/base64", get(anAttestation), success(matches("signature", base64Text))),
		ask("attested/document/newest-version", in("2025-04-07"), success(object("", "encoding", "signature"), content(has("vmId", "nonce", "licenseType")))),
		ask("attested/document/below", get(attestedPath+"/signature?api-version=2021-02-01"), refused(404)).ourChoice(),
		ask("attested/document/above", get("/metadata/attested?api-version=2021-02-01"), refused(404)).ourChoice(),
		ask("attested/document/format-text", get(anAttestation+"&format=text"), success(object("", "encoding", "signature"))).ourChoice(),

		ask("attested/nonce/ten-digits", withNonce("1234567890"), success(content(value("nonce", "1234567890")))),
		ask("attested/nonce/one-digit", withNonce("7"), success(content(value("nonce", "7")))).ourChoice(),
		ask("attested/nonce/letters", withNonce("aZ09"), success(content(value("nonce", "aZ09")))),
		ask("attested/nonce/32-characters", withNonce(longest), success(content(value("nonce", longest)))),
		ask("attested/nonce/default", get(anAttestation), success(content(defaultNonce))),
		ask("attested/nonce/empty", withNonce(""), either(success(content(defaultNonce)), refused(400))).ourChoice(),
		ask("attested/nonce/33-characters", withNonce(longest+"6"), refused(400)).ourChoice(),
		ask("attested/nonce/base64url", withNonce("a-b_c"), success(content(value("nonce", "a-b_c")))).ourChoice(),
		ask("attested/nonce/sign", withNonce("a.b"), refused(400)).ourChoice(),
		ask("attested/nonce/escaped-sign", withNonce("a%22%2C%22b"), refused(400)).ourChoice(),
		ask("attested/nonce/not-ascii", withNonce("%C3%BC"), refused(400)).ourChoice(),
		ask("attested/nonce/line-break", withNonce("a%0ab"), refused(400)).ourChoice(),
		ask("attested/nonce/twice", withNonce("1&nonce=2"), inOurWords(400, refused(400))),
		ask("attested/nonce/another-each-time", inTurn(withNonce("1"), withNonce("2")), nth(1, success(content(value("nonce", "1")))), success(content(value("nonce", "2")))).ourChoice(),

		ask("attested/version/2018-10-01", in("2018-10-01"), success(content(object("", "nonce", "plan", "timeStamp", "vmId")))),
		ask("attested/version/2019-03-11", in("2019-03-11"), success(content(lacks("subscriptionId", "sku", "licenseType")))),
		ask("attested/version/2019-04-30", in("2019-04-30"), success(content(has("subscriptionId"), lacks("sku", "licenseType")))),
		ask("attested/version/2019-08-15", in("2019-08-15"), success(content(has("subscriptionId"), lacks("sku", "licenseType")))),
		ask("attested/version/2019-11-01", in("2019-11-01"), success(content(has("subscriptionId", "sku"), lacks("licenseType")))),
		ask("attested/version/2020-07-15", in("2020-07-15"), success(content(has("subscriptionId", "sku"), lacks("licenseType")))),
		ask("attested/version/2020-09-01", in("2020-09-01"), success(content(has("subscriptionId", "sku", "licenseType")))),

		ask("attested/content/fields", get(anAttestation), success(content(
			object("", "licenseType", "nonce", "plan", "sku", "subscriptionId", "timeStamp", "vmId"),
			object("plan", "name", "product", "publisher"), object("timeStamp", "createdOn", "expiresOn")))),
		ask("attested/content/strings", get(anAttestation), success(content(allStrings))),
		ask("attested/content/compact", get(anAttestation), success(content(compact, noLastNewline))),
		ask("attested/content/time-format", get(anAttestation), success(content(matches("timeStamp/createdOn", attestedTimePattern), matches("timeStamp/expiresOn", attestedTimePattern)))),
		ask("attested/content/six-hours", get(anAttestation), success(content(livesSixHours))),
		ask("attested/content/vmId", inTurn(get(anInstance), get(anAttestation)), content(asInInstance("vmId", "compute/vmId"))),
		ask("attested/content/subscriptionId", inTurn(get(anInstance), get(anAttestation)), content(asInInstance("subscriptionId", "compute/subscriptionId"))),
		ask("attested/content/sku", inTurn(get(anInstance), get(anAttestation)), content(asInInstance("sku", "compute/sku"))),
		ask("attested/content/licenseType", inTurn(get(anInstance), get(anAttestation)), content(asInInstance("licenseType", "compute/licenseType"))),
	}
}

// content applies expectations to the signed JSON.
func content(parts ...Expectation) Expectation {
	inside := all(parts...)
	return Expectation{says: "signed: " + inside.says, check: func(s *seen) error {
		envelope, err := s.last().envelope()
		if err != nil {
			return err
		}
		signed := s.last()
		signed.body = string(envelope.content)
		before := s.answers[:len(s.answers)-1]
		return inside.holds(&seen{append(before[:len(before):len(before)], signed), s.known, s.azure})
	}}
}

// envelope returns the signed message in an attested document.
func (a answer) envelope() (*envelope, error) {
	document, err := a.document()
	if err != nil {
		return nil, err
	}
	signature := document.find("signature")
	if signature == nil {
		return nil, fmt.Errorf("no signature, status %d", a.status)
	}
	envelope, err := parseEnvelope(signature.text)
	if err != nil {
		return nil, fmt.Errorf("the signature: %w", err)
	}
	return envelope, nil
}

// asInInstance expects a value that the instance document of the answer before has too.
func asInInstance(name, path string) Expectation {
	return Expectation{says: name + " is the instance's " + path, check: func(s *seen) error {
		instance, err := s.answers[0].document()
		if err != nil {
			return err
		}
		document, err := s.last().document()
		if err != nil {
			return err
		}
		wanted, got := instance.find(path), document.find(name)
		if wanted == nil || got == nil || wanted.text != got.text {
			return fmt.Errorf("%s is %s, %s of the instance %s", name, shown(got), path, shown(wanted))
		}
		return nil
	}}
}

const (
	attestedTime        = "01/02/06 15:04:05 -0700"
	attestedTimePattern = `^[0-9]{2}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} -0000$`
	attestedLife        = 6 * time.Hour
	nonceTime           = "20060102-150405"
)

// attestedTimes returns the validity of a document.
func attestedTimes(document *node) (created, expires time.Time, err error) {
	for path, into := range map[string]*time.Time{"timeStamp/createdOn": &created, "timeStamp/expiresOn": &expires} {
		found := document.find(path)
		if found == nil {
			return created, expires, fmt.Errorf("there is no %s", path)
		}
		if *into, err = time.Parse(attestedTime, found.text); err != nil {
			return created, expires, err
		}
	}
	return created, expires, nil
}

var livesSixHours = ofDocument("valid now, and for six hours in all", func(document *node, _ *knowledge) error {
	created, expires, err := attestedTimes(document)
	if err != nil {
		return err
	}
	if life := expires.Sub(created); life != attestedLife {
		return fmt.Errorf("valid for %s", life)
	}
	if now := time.Now(); created.After(now.Add(clockError)) || expires.Before(now) {
		return fmt.Errorf("valid from %s to %s", created, expires)
	}
	return nil
})

// defaultNonce expects the time at which the document begins or ends: recordings have the former, documentation the latter.
var defaultNonce = ofDocument("a nonce that is createdOn or expiresOn as YYYYMMDD-HHMMSS", func(document *node, _ *knowledge) error {
	created, expires, err := attestedTimes(document)
	if err != nil {
		return err
	}
	nonce := document.find("nonce")
	if nonce == nil || nonce.text != created.UTC().Format(nonceTime) && nonce.text != expires.UTC().Format(nonceTime) {
		return fmt.Errorf("got %s in a document from %s to %s", shown(nonce), created, expires)
	}
	return nil
})
