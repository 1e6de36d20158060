namespace LatentBridge.Networks;

/// <summary>Goes backwards through a network over frames: which frames of every layer the wanted ones are made of.</summary>
static class NeededFrames
{
    /// <summary>Element i: the frames of layer i's input, in order; the last element: the wanted frames of the output.</summary>
    /// <param name="network">What is computed.</param>
    /// <param name="wanted">Frames of the output, 0 being the first that the first input frame makes.</param>
    public static SortedSet<int>[] Of(Network network, IEnumerable<int> wanted)
    {
        var needed = new SortedSet<int>[network.Layers.Count + 1];
        needed[^1] = [.. wanted];
        for (int i = network.Layers.Count - 1; i >= 0; i--)
        {
            var layer = network.Layers[i] as ConvolutionLayer;
            needed[i] = [.. needed[i + 1].Select(frame => frame / (layer?.Frames ?? 1))];
            if (layer is { HasPast: true })
            {
                needed[i].UnionWith(needed[i + 1].Where(frame => frame > 0).Select(frame => frame - 1));
            }
        }

        return needed;
    }

    /// <summary>Multiply-adds that the wanted frames cost for one pixel of an input frame, as the layers define them.</summary>
    public static double MultiplyAddsPerPixel(Network network, IEnumerable<int> wanted)
    {
        SortedSet<int>[] needed = Of(network, wanted);
        double sum = 0, area = 1;
        for (int i = 0; i < network.Layers.Count; i++)
        {
            var layer = (ConvolutionLayer)network.Layers[i];
            area *= layer.Reach == RowReach.Doubled ? 4 : 1;
            int pasts = layer.HasPast ? needed[i + 1].Count(frame => frame > 0) : 0;
            double skip = layer.SkipName is null ? 0 : layer.Inputs * layer.Outputs;
            sum += area * (((needed[i + 1].Count + pasts) * layer.MultiplyAdds) + skip);
        }

        return sum;
    }
}
