//! Says who the default credential chain of the AWS SDK for Rust is: once, and again for each line of input.

use aws_credential_types::provider::ProvideCredentials;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

async fn say(config: &aws_config::SdkConfig, sts: &aws_sdk_sts::Client) {
    let said = match sts.get_caller_identity().send().await {
        Ok(who) => {
            let provider = config.credentials_provider().expect("the default chain");
            let keys = provider.provide_credentials().await.expect("credentials that have just been used");
            json!({"arn": who.arn(), "key": keys.access_key_id()})
        }
        Err(error) => json!({"error": format!("{:?}", error)}),
    };
    println!("{said}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let config = aws_config::load_from_env().await;
    let sts = aws_sdk_sts::Client::new(&config);
    say(&config, &sts).await;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        say(&config, &sts).await;
    }
}
