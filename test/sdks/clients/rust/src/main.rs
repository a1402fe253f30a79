//! Asks for tokens with the credential for managed identities that Azure's SDK for Rust has, as an application would,
//! and prints a JSON line for every attempt. It fails if one of them got no token.
//!
//! With the argument "vault", the SDKs for Key Vault use the vault at KEY_VAULT_URL, and with "storage" the one for blobs
//! uses the account at BLOB_URL.

mod operation;
mod storage;
mod vault;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

use azure_core::Result;
use azure_core::credentials::TokenCredential;
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    let every_one = match env::args().nth(1).as_deref() {
        Some("vault") => vault::use_vault(&variable("KEY_VAULT_URL")).await,
        Some("storage") => storage::use_storage(&variable("BLOB_URL")).await,
        _ => try_all().await,
    };
    if every_one {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Asks for the default identity's tokens for every resource, and for the other identity's, in each way that the
/// credential can name it, for the first resource.
async fn try_all() -> bool {
    let resources = variable("RESOURCES");
    let resources: Vec<&str> = resources.split(',').collect();
    let mut every_one = true;
    let default = ManagedIdentityCredential::new(None);
    for resource in &resources {
        every_one &= attempt("default", &default, resource).await;
    }
    for (selector, id) in [
        ("client_id", UserAssignedId::ClientId(variable("CLIENT_ID"))),
        ("object_id", UserAssignedId::ObjectId(variable("OBJECT_ID"))),
        (
            "resource_id",
            UserAssignedId::ResourceId(variable("RESOURCE_ID")),
        ),
    ] {
        let credential = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: Some(id),
            ..Default::default()
        }));
        every_one &= attempt(selector, &credential, resources[0]).await;
    }
    every_one
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Asks for a token, prints what came, and tells whether a token did.
async fn attempt(
    selector: &str,
    credential: &Result<Arc<ManagedIdentityCredential>>,
    resource: &str,
) -> bool {
    let start = Instant::now();
    let token = match credential {
        Ok(credential) => token(credential, resource).await,
        Err(error) => Err(error.to_string()),
    };
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let at = UNIX_EPOCH.elapsed().map_or(0, |now| now.as_millis() as u64);

    let mut line = json!({
        "client": "rust azure_identity",
        "version": version("azure_identity"),
        "credential": "ManagedIdentityCredential",
        "selector": selector,
        "resource": resource,
        "milliseconds": milliseconds,
        "at": at,
    });
    match &token {
        Ok(token) => line["token"] = json!(token),
        Err(error) => line["error"] = json!(error),
    }
    println!("{line}");
    token.is_ok()
}

async fn token(
    credential: &ManagedIdentityCredential,
    resource: &str,
) -> std::result::Result<String, String> {
    let scope = format!("{resource}/.default");
    match credential.get_token(&[&scope], None).await {
        Ok(token) => Ok(token.token.secret().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The version of a crate, which it keeps to itself.
fn version(name: &str) -> Option<&'static str> {
    include_str!("../Cargo.lock")
        .split_once(&format!("name = \"{name}\"\nversion = \""))?
        .1
        .split('"')
        .next()
}
