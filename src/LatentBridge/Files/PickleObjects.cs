namespace LatentBridge.Files;

/// <summary>
/// What a pickle may name and build: the three points at which <see cref="PickleMachine"/> asks. Everything else in a
/// pickle is numbers, text and containers.
/// </summary>
abstract class PickleObjects
{
    /// <summary>What a global name stands for; throws for a name that is not allowed.</summary>
    public abstract object Global(string module, string name);

    /// <summary>The result of calling something that <see cref="Global"/> gave out.</summary>
    public abstract object? Call(object callable, object?[] arguments);

    /// <summary>What a persistent id stands for.</summary>
    public abstract object? Persistent(object? id);
}

/// <summary>A pickled dictionary, in its order.</summary>
sealed class PickleDictionary
{
    /// <summary>Keys and values; a key set twice is there twice.</summary>
    public List<(object? Key, object? Value)> Items { get; } = [];

    /// <summary>The last value of a text key, or null.</summary>
    public object? Find(string key) => Items.FindLast(item => item.Key is string text && text == key).Value;
}
