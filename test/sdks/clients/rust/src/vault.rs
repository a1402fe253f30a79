//! What an application does with a vault: secrets, keys and certificates, by Azure's SDKs for Rust at their defaults.

use std::sync::Arc;
use std::time::{Duration, Instant};

use azure_core::base64;
use azure_core::credentials::TokenCredential;
use azure_core::http::StatusCode;
use azure_identity::ManagedIdentityCredential;
use azure_security_keyvault_certificates::CertificateClient;
use azure_security_keyvault_certificates::models::{
    CertificatePolicy, CreateCertificateParameters, IssuerParameters, SecretProperties,
    X509CertificateProperties,
};
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, EncryptionAlgorithm, KeyOperationParameters, KeyType,
    SignParameters, SignatureAlgorithm, VerifyParameters,
};
use azure_security_keyvault_keys::{KeyClient, ResourceExt};
use azure_security_keyvault_secrets::SecretClient;
use azure_security_keyvault_secrets::models::SetSecretParameters;
use futures::TryStreamExt;

use crate::operation::{Outcome, all_succeeded, check, operate};

/// Uses the vault at a URL, and tells whether all operations succeeded.
pub async fn use_vault(url: &str) -> bool {
    let credential = match ManagedIdentityCredential::new(None) {
        Ok(credential) => credential,
        Err(error) => return all_succeeded(&[Err(error.into())]),
    };
    all_succeeded(&[
        use_secrets(url, credential.clone()).await,
        use_keys(url, credential.clone()).await,
        use_certificates(url, credential).await,
    ])
}

async fn use_secrets(url: &str, credential: Arc<dyn TokenCredential>) -> Outcome {
    const SDK: &str = "azure_security_keyvault_secrets";
    const NAME: &str = "greeting";
    let client = SecretClient::new(url, credential, None)?;
    let get = async || -> Outcome {
        let got = client.get_secret(NAME, None).await?.into_model()?;
        check(got.value.as_deref() == Some("hello"), "another value came")
    };
    let delete = async || -> Outcome {
        client.delete_secret(NAME, None).await?;
        until(async || found(client.get_deleted_secret(NAME, None).await)).await
    };
    operate(SDK, "secret set", async {
        let parameters = SetSecretParameters {
            value: Some("hello".into()),
            ..Default::default()
        };
        client
            .set_secret(NAME, parameters.try_into()?, None)
            .await?;
        Ok(())
    })
    .await?;
    operate(SDK, "secret get", get()).await?;
    operate(SDK, "secret list", async {
        let all: Vec<_> = client.list_secret_properties(None)?.try_collect().await?;
        let own = format!("{}/secrets/{NAME}", url.trim_end_matches('/'));
        check(
            all.len() == 1 && all[0].id.as_ref() == Some(&own),
            "the list has others",
        )
    })
    .await?;
    operate(SDK, "secret delete", delete()).await?;
    operate(SDK, "secret recover", async {
        client.recover_deleted_secret(NAME, None).await?;
        until(async || found(client.get_secret(NAME, None).await)).await?;
        get().await
    })
    .await?;
    operate(SDK, "secret purge", async {
        delete().await?;
        client.purge_deleted_secret(NAME, None).await?;
        until(async || Ok(!found(client.get_deleted_secret(NAME, None).await)?)).await
    })
    .await
}

async fn use_keys(url: &str, credential: Arc<dyn TokenCredential>) -> Outcome {
    let client = KeyClient::new(url, credential, None)?;
    use_ec(&client).await?;
    use_rsa(&client).await
}

const KEYS: &str = "azure_security_keyvault_keys";

async fn use_ec(client: &KeyClient) -> Outcome {
    const NAME: &str = "signs";
    let algorithm = Some(SignatureAlgorithm::Es256);
    // What is signed is a digest, and any 32 bytes can be one.
    let digest = Some(vec![7; 32]);
    let version = create(
        client,
        NAME,
        "key create EC",
        CreateKeyParameters {
            kty: Some(KeyType::Ec),
            curve: Some(CurveName::P256),
            ..Default::default()
        },
    )
    .await?;
    let signature = operate(KEYS, "key sign", async {
        let parameters = SignParameters {
            algorithm: algorithm.clone(),
            value: digest.clone(),
        };
        let signed = client.sign(NAME, parameters.try_into()?, None).await?;
        Ok(signed.into_model()?.result)
    })
    .await?;
    operate(KEYS, "key verify", async {
        let parameters = VerifyParameters {
            algorithm,
            digest,
            signature,
        };
        let verified = client
            .verify(NAME, &version, parameters.try_into()?, None)
            .await?;
        check(
            verified.into_model()?.value == Some(true),
            "the signature is not valid",
        )
    })
    .await
}

async fn use_rsa(client: &KeyClient) -> Outcome {
    const NAME: &str = "wraps";
    let key: Vec<u8> = (0..32).collect();
    let parameters = |value| KeyOperationParameters {
        algorithm: Some(EncryptionAlgorithm::RsaOaep256),
        value,
        ..Default::default()
    };
    let version = create(
        client,
        NAME,
        "key create RSA",
        CreateKeyParameters {
            kty: Some(KeyType::Rsa),
            ..Default::default()
        },
    )
    .await?;
    let wrapped = operate(KEYS, "key wrap", async {
        let wrapped = client
            .wrap_key(NAME, parameters(Some(key.clone())).try_into()?, None)
            .await?;
        Ok(wrapped.into_model()?.result)
    })
    .await?;
    operate(KEYS, "key unwrap", async {
        let unwrapped = client
            .unwrap_key(NAME, &version, parameters(wrapped).try_into()?, None)
            .await?;
        check(
            unwrapped.into_model()?.result == Some(key),
            "another key came out",
        )
    })
    .await
}

/// Creates a key and gives its version.
async fn create(
    client: &KeyClient,
    name: &str,
    operation: &str,
    parameters: CreateKeyParameters,
) -> Outcome<String> {
    operate(KEYS, operation, async {
        let key = client
            .create_key(name, parameters.try_into()?, None)
            .await?;
        Ok(key.into_model()?.resource_id()?.version.unwrap_or_default())
    })
    .await
}

async fn use_certificates(url: &str, credential: Arc<dyn TokenCredential>) -> Outcome {
    const SDK: &str = "azure_security_keyvault_certificates";
    const NAME: &str = "site";
    let client = CertificateClient::new(url, credential.clone(), None)?;
    operate(SDK, "certificate create", async {
        let parameters = CreateCertificateParameters {
            certificate_policy: Some(CertificatePolicy {
                issuer_parameters: Some(IssuerParameters {
                    name: Some("Self".into()),
                    ..Default::default()
                }),
                secret_properties: Some(SecretProperties {
                    content_type: Some("application/x-pem-file".into()),
                }),
                x509_certificate_properties: Some(X509CertificateProperties {
                    subject: Some("CN=orders.example".into()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        client
            .begin_create_certificate(NAME, parameters.try_into()?, None)?
            .await?;
        Ok(())
    })
    .await?;
    let certificate = operate(SDK, "certificate get", async {
        let got = client.get_certificate(NAME, None).await?;
        Ok(got.into_model()?.cer.unwrap_or_default())
    })
    .await?;
    operate(SDK, "certificate secret", async {
        let secrets = SecretClient::new(url, credential, None)?;
        let secret = secrets.get_secret(NAME, None).await?.into_model()?;
        let pem = secret.value.unwrap_or_default().replace('\n', "");
        check(
            pem.contains("-----BEGIN PRIVATE KEY-----"),
            "the secret has no key",
        )?;
        check(
            pem.contains(&base64::encode(certificate)),
            "the secret has another certificate",
        )
    })
    .await
}

/// Tells whether something was found. An error that says anything else remains one.
fn found<T>(outcome: azure_core::Result<T>) -> Outcome<bool> {
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.http_status() == Some(StatusCode::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Asks until the answer is yes.
async fn until(ask: impl AsyncFn() -> Outcome<bool>) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ask().await? {
        check(Instant::now() < deadline, "it takes too long")?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
