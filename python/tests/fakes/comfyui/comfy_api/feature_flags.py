def supports_feature(metadata, client, name):
    return metadata.get(client, {}).get("feature_flags", {}).get(name) is True
