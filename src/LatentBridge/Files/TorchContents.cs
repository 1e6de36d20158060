namespace LatentBridge.Files;

/// <summary>
/// The tensors of what was saved: a tensor, or dictionaries and lists of them, however nested. Names are the keys on the
/// way, joined by dots; text among them becomes metadata, everything else is passed over.
/// </summary>
sealed class TorchContents
{
    const int MaximumDepth = 32;
    const int MaximumNodes = 1 << 17;
    const int MaximumNameLength = 512;

    readonly TensorBytes _bytes;
    int _nodeCount;

    public TorchContents(TensorBytes bytes, object? saved)
    {
        _bytes = bytes;
        Collect(saved, "", 0);
    }

    /// <summary>The tensors, in the file's order.</summary>
    public List<TensorEntry> Tensors { get; } = [];

    /// <summary>Text values by their names.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    // A list may hold itself or the same list many times over, so both depth and visits are counted.
    void Collect(object? value, string name, int depth)
    {
        if (depth > MaximumDepth || ++_nodeCount > MaximumNodes || name.Length > MaximumNameLength)
        {
            throw _bytes.Bad($"holds containers nested too deep or too many (at most {MaximumDepth} levels, {MaximumNodes} values, names of {MaximumNameLength} characters). The file is damaged or not a file of tensors");
        }

        switch (value)
        {
            case TorchTensor tensor:
                Tensors.Add(tensor.ToEntry(name.Length == 0 ? TensorFile.OnlyTensorName : name));
                break;
            case string text when name.Length > 0:
                Metadata[name] = text;
                break;
            case PickleDictionary dictionary:
                foreach ((object? key, object? item) in dictionary.Items)
                {
                    Collect(item, Join(name, key as string ?? (key as long?)?.ToString() ?? "?"), depth + 1);
                }

                break;
            case IReadOnlyList<object?> items:
                for (int i = 0; i < items.Count; i++)
                {
                    Collect(items[i], Join(name, i.ToString()), depth + 1);
                }

                break;
        }
    }

    static string Join(string name, string key) => name.Length == 0 ? key : $"{name}.{key}";
}
