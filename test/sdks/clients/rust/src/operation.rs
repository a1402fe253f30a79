//! What is done with a library, and what is printed of it.

use std::error::Error;
use std::future::Future;
use std::time::Instant;

use serde_json::json;

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Prints the errors of libraries' uses, and tells whether there are none.
pub fn all_succeeded(uses: &[Outcome]) -> bool {
    for error in uses.iter().filter_map(|used| used.as_ref().err()) {
        eprintln!("client: {error}");
    }
    uses.iter().all(Result::is_ok)
}

/// Does an operation, prints what came of it, and gives its result.
pub async fn operate<T>(
    sdk: &str,
    operation: &str,
    done: impl Future<Output = Outcome<T>>,
) -> Outcome<T> {
    let start = Instant::now();
    let outcome = done.await;
    let mut line = json!({
        "client": format!("rust {sdk}"),
        "version": crate::version(sdk),
        "operation": operation,
        "milliseconds": start.elapsed().as_secs_f64() * 1e3,
    });
    if let Err(error) = &outcome {
        line["error"] = json!(error.to_string());
    }
    println!("{line}");
    outcome
}

pub fn check(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(what.into()) }
}
