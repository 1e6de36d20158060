namespace LatentBridge.Files;

/// <summary>
/// What a pickle may name and build: the points at which <see cref="PickleMachine"/> asks. Everything else in a pickle is
/// numbers, text and containers.
/// </summary>
abstract class PickleObjects
{
    /// <summary>What a global name stands for; <see cref="PickleUnknown"/> for a name that is not known to be harmless.</summary>
    public abstract object Global(string module, string name);

    /// <summary>The result of calling something that <see cref="Global"/> gave out.</summary>
    public abstract object? Call(object callable, object?[] arguments);

    /// <summary>Gives an object its state; for most there is nothing to do.</summary>
    public abstract void Build(object? target, object? state);

    /// <summary>What a persistent id stands for.</summary>
    public abstract object? Persistent(object? id);
}

/// <summary>Something that a pickle names or makes and that is not read: nobody runs it, whatever it is.</summary>
/// <param name="Name">Module and name.</param>
sealed record PickleUnknown(string Name);

/// <summary>A pickled dictionary, in its order.</summary>
sealed class PickleDictionary
{
    /// <summary>Keys and values; a key set twice is there twice.</summary>
    public List<(object? Key, object? Value)> Items { get; } = [];

    /// <summary>The last value of a text key, or null.</summary>
    public object? Find(string key) => Items.FindLast(item => item.Key is string text && text == key).Value;
}
