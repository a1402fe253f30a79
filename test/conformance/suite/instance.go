package suite

// instanceCases returns the cases about formats, paths below the document, and the common part of all versions.
func instanceCases() []Case {
	const (
		version = "?api-version=2021-02-01"
		text    = version + "&format=text"
		compute = instancePath + "/compute"
		network = instancePath + "/network"
		nic     = network + "/interface"
	)
	return []Case{
		ask("instance/document", get(anInstance), success(object("", "compute", "network"), allStrings, alphabetical)),
		ask("instance/headers", get(anInstance), header("Content-Type", typeJSON), headerMatches("Server", `^IMDS/[0-9.]+$`), headerMatches("Content-Length", numberText)),
		ask("instance/format-json", inTurn(get(anInstance), get(anInstance+"&format=json")), each(success()), sameBody),
		ask("instance/compute", get(compute+version), success(has("vmId", "name", "location"), lacks("compute", "network"), allStrings, alphabetical)),
		ask("instance/compute/format-json", get(compute+"?api-version=2021-10-01&format=json"), success(has("name", "zone", "vmSize", "tagsList"))),
		ask("instance/network", get(network+version), success(object("", "interface"), allStrings, alphabetical)),
		ask("instance/network/interface", get(nic+version), success(array(""))),
		ask("instance/network/interface/0", get(nic+"/0"+version), success(object("", "ipv4", "ipv6", "macAddress"))),
		ask("instance/network/shape", get(nic+"/0"+version), success(object("ipv4", "ipAddress", "subnet"), array("ipv4/ipAddress"), array("ipv4/subnet"), array("ipv6/ipAddress"))),
		ask("instance/network/mac", get(nic+"/0/macAddress"+text), textSuccess(bodyMatches("twelve hexadecimal digits in upper case", `[0-9A-F]{12}`))),
		ask("instance/network/address", get(nic+"/0/ipv4/ipAddress/0"+version), success(object("", "privateIpAddress", "publicIpAddress"), matches("privateIpAddress", ipv4))),
		ask("instance/network/address/text", get(nic+"/0/ipv4/ipAddress/0/privateIpAddress"+text), textSuccess(bodyMatches("an address", ipv4))),
		ask("instance/network/subnet", get(nic+"/0/ipv4/subnet/0"+version), success(object("", "address", "prefix"), matches("address", ipv4), matches("prefix", numberText))),

		ask("instance/leaf/text", get(compute+"/vmId"+text), textSuccess(bodyMatches("a GUID", guid))),
		ask("instance/leaf/first-version", get(compute+"/vmId?api-version=2017-04-02&format=text"), textSuccess(bodyMatches("a GUID", guid))),
		ask("instance/leaf/newest-version", get(compute+"/vmId?api-version=2025-04-07&format=text"), textSuccess(bodyMatches("a GUID", guid))),
		ask("instance/leaf/as-in-document", inTurn(get(anInstance), get(compute+"/name"+text)), textSuccess(asInDocument("compute/name"))),
		ask("instance/leaf/empty", inTurn(get(anInstance), get(compute+"/customData"+text)), textSuccess(asInDocument("compute/customData"))),
		ask("instance/leaf/no-format", get(compute+"/vmId"+version), inOurWords(400, refused(400))),
		ask("instance/leaf/json", get(compute+"/vmId"+version+"&format=json"), inOurWords(400, refused(400))),
		ask("instance/leaf/trailing-slash", get(compute+"/vmId/"+text), textSuccess(bodyMatches("a GUID", guid))).ourChoice(),
		ask("instance/leaf/below", get(compute+"/vmId/x"+text), inOurWords(404, refused(404))),
		ask("instance/leaf/case", inTurn(get(compute+"/vmId"+text), get(compute+"/VMID"+text)), each(textSuccess()), sameBody).ourChoice(),
		ask("instance/leaf/nested", get(compute+"/osProfile/computerName"+text), textSuccess()),

		ask("instance/listing", inTurn(get(anInstance), get(anInstance+"&format=text")), textSuccess(), listing),
		ask("instance/listing/to-the-byte", get(anInstance+"&format=text"), textSuccess(lines("compute/", "network/"))).ourChoice(),
		ask("instance/listing/compute", inTurn(get(compute+version), get(compute+text)), textSuccess(), listing),
		ask("instance/listing/network", get(network+text), textSuccess(lines("interface/"))),
		ask("instance/listing/array", inTurn(get(nic+version), get(nic+text)), textSuccess(), listing).ourChoice(),
		ask("instance/listing/interface", get(nic+"/0"+text), textSuccess(lines("ipv4/", "ipv6/", "macAddress"))).ourChoice(),
		ask("instance/listing/tags", inTurn(get(compute+"/tagsList"+version), get(compute+"/tagsList"+text)), textSuccess(), listingOrNothing).ourChoice(),

		ask("instance/format-xml", get(anInstance+"&format=xml"), refused(400)).ourChoice(),
		ask("instance/format-empty", get(anInstance+"&format="), success(has("compute"))).ourChoice(),
		ask("instance/format-twice", get(anInstance+"&format=json&format=text"), inOurWords(400, refused(400))),
		ask("instance/index/out-of-range", get(nic+"/99"+version), inOurWords(404, refused(404))),
		ask("instance/index/negative", get(nic+"/-1"+version), refused(404)).ourChoice(),
		ask("instance/index/huge", get(nic+"/99999999999999999999"+version), refused(404)).ourChoice(),
		ask("instance/index/name", get(nic+"/first"+version), inOurWords(404, refused(404))),
		ask("instance/unknown", get(instancePath+"/nothing"+version), inOurWords(404, refused(404))),
		ask("instance/unknown/compute", get(compute+"/nothing"+version), inOurWords(404, refused(404))),
		ask("instance/unknown/prefix", get(instancePath+"/comp"+version), inOurWords(404, refused(404))),
		ask("instance/not-in-this-version", get(compute+"/tagsList?api-version=2018-02-01"), inOurWords(404, refused(404))),
		ask("instance/not-in-this-version/text", get(compute+"/userData?api-version=2020-12-01&format=text"), inOurWords(404, refused(404))),

		ask("instance/extended", get(anInstance+"&extended=true"), success(object("", "compute", "extended", "network"), has("extended/compute/ppsType", "extended/compute/hasCustomData"), allStrings)),
		ask("instance/extended/cloud-init", get(instancePath+"?api-version=2021-08-01&extended=true"), success(has("compute/osProfile", "compute/publicKeys", "compute/userData", "network/interface/0/macAddress"))),
		ask("instance/extended/false", get(anInstance+"&extended=false"), success(object("", "compute", "network"))).ourChoice(),
		ask("instance/extended/not-asked", get(instancePath+"/extended"+version), refused(404)).ourChoice(),
		ask("instance/unknown-parameter", inTurn(get(anInstance), get(anInstance+"&nothing=1&other")), each(success()), sameBody).ourChoice(),
		ask("instance/escaped-query", inTurn(get(anInstance), get(instancePath+"?api%2Dversion=2021%2d02%2D01")), each(success()), sameBody).ourChoice(),
		ask("instance/case-of-names", inTurn(get(anInstance), get(instancePath+"?API-Version=2021-02-01")), each(success()), sameBody).ourChoice(),
		ask("instance/twice-the-same", inTurn(get(anInstance), get(anInstance)), each(success()), sameBody),

		ask("instance/values/azEnvironment", get(compute+version), success(matches("azEnvironment", `(?i)^Azure(Public|USGovernment|China|German)Cloud$`))),
		ask("instance/values/provider", get(compute+version), success(value("provider", "Microsoft.Compute"))),
		ask("instance/values/osType", get(compute+version), success(matches("osType", `^(Linux|Windows)$`))),
		ask("instance/values/location", get(compute+version), success(matches("location", `^\S+$`))),
		ask("instance/values/booleans", get(compute+version), success(matches("osProfile/disablePasswordAuthentication", truth), matches("isHostCompatibilityLayerVm", truth), matches("securityProfile/secureBootEnabled", truth))),
		ask("instance/values/resourceId", get(compute+version), success(matches("resourceId", `(?i)^/subscriptions/[^/]*/resourceGroups/[^/]*/providers/Microsoft\.Compute/virtualMachine`))),
		ask("instance/values/tags", get(compute+version), success(tagsAgree)),
		ask("instance/values/userData", get(compute+version), success(matches("userData", base64Text))),
	}
}

const (
	ipv4       = `^([0-9]{1,3}\.){3}[0-9]{1,3}$`
	truth      = `^(true|false)$`
	base64Text = `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`
)
