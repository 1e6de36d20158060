namespace LatentBridge.Host.Commands;

/// <summary>What the user gave cannot be used: exit code 2. The message says what was found, what was expected and what to do.</summary>
sealed class InputException(string message) : LatentBridgeException(message);
