"""What an application does with a vault: secrets, keys and certificates, by Azure's SDKs for Python at their defaults."""

import base64
import hashlib
import os

from operation import check, operate, use_each

SECRETS, KEYS, CERTIFICATES = "azure-keyvault-secrets", "azure-keyvault-keys", "azure-keyvault-certificates"


def use_vault() -> bool:
    """Uses the vault at KEY_VAULT_URL, and tells whether all operations succeeded."""
    from azure.identity import DefaultAzureCredential

    return use_each((use_secrets, use_keys, use_certificates), os.environ["KEY_VAULT_URL"], DefaultAzureCredential())


def use_secrets(url, credential) -> None:
    from azure.core.exceptions import ResourceNotFoundError
    from azure.keyvault.secrets import SecretClient

    client, name = SecretClient(url, credential), "greeting"

    def get():
        check(client.get_secret(name).value == "hello", "the secret has another value")

    def list_all():
        names = [one.name for one in client.list_properties_of_secrets()]
        check(names == [name], f"the list has {names}")

    def delete():
        client.begin_delete_secret(name).wait()
        check(client.get_deleted_secret(name).name == name, "another secret is deleted")

    def recover():
        client.begin_recover_deleted_secret(name).wait()
        get()

    def purge():
        client.begin_delete_secret(name).wait()
        client.purge_deleted_secret(name)
        try:
            client.get_deleted_secret(name)
        except ResourceNotFoundError:
            return
        raise AssertionError("the purged secret is there")

    operate(SECRETS, "secret set", lambda: client.set_secret(name, "hello"))
    for operation, done in (("get", get), ("list", list_all), ("delete", delete), ("recover", recover), ("purge", purge)):
        operate(SECRETS, "secret " + operation, done)


def use_keys(url, credential) -> None:
    """Verifies and wraps with the public key, as CryptographyClient does by itself; the private one stays in the vault."""
    from azure.keyvault.keys import KeyClient, KeyCurveName
    from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm, SignatureAlgorithm

    client = KeyClient(url, credential)

    digest = hashlib.sha256(b"an order").digest()
    key = operate(KEYS, "key create EC", lambda: client.create_ec_key("signs", curve=KeyCurveName.p_256))
    signer = CryptographyClient(key, credential)
    signature = operate(KEYS, "key sign", lambda: signer.sign(SignatureAlgorithm.es256, digest)).signature

    def verify():
        check(signer.verify(SignatureAlgorithm.es256, digest, signature).is_valid, "the signature is not valid")

    operate(KEYS, "key verify", verify)

    secret = os.urandom(32)
    key = operate(KEYS, "key create RSA", lambda: client.create_rsa_key("wraps"))
    wrapper = CryptographyClient(key, credential)
    wrapped = operate(KEYS, "key wrap", lambda: wrapper.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, secret)).encrypted_key

    def unwrap():
        check(wrapper.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped).key == secret, "another key came out")

    operate(KEYS, "key unwrap", unwrap)


def use_certificates(url, credential) -> None:
    from azure.keyvault.certificates import CertificateClient, CertificatePolicy
    from azure.keyvault.secrets import SecretClient
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    client, name = CertificateClient(url, credential), "site"

    def create():
        made = client.begin_create_certificate(name, CertificatePolicy.get_default()).result()
        check(made.name == name, f"got {made}")

    operate(CERTIFICATES, "certificate create", create)
    certificate = operate(CERTIFICATES, "certificate get", lambda: client.get_certificate(name)).cer

    def secret():
        behind = SecretClient(url, credential).get_secret(name)
        key, own, _ = pkcs12.load_key_and_certificates(base64.b64decode(behind.value), None)
        check(own.public_bytes(Encoding.DER) == bytes(certificate), "the secret has another certificate")
        check(key.public_key() == own.public_key(), "the secret has another key")

    operate(CERTIFICATES, "certificate secret", secret)
